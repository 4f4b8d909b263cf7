# SPDX-License-Identifier: Apache-2.0
"""The tables that people read, and docs/reference/bench-artifact.md."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from bench.artifact.cases import OURS, THEIRS
from bench.artifact.measure import Sample
from bench.artifact.targets import MB, PEER, Finding, Result


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def costs(results: Mapping[str, Result]) -> str:
    """What each case cost, ours above theirs."""
    rows = []
    for case, result in results.items():
        peer = f"{THEIRS}, gzip" if case == "write zstd" else THEIRS
        rows.append((case, OURS, *_cells(result.ours)))
        rows.append(("", peer, *_cells(result.theirs)))
    return table(("", "", "CPU", "wall", "peak RSS", "size"), rows)


def verdicts(found: Iterable[Finding]) -> str:
    """Each target, and whether it was reached."""
    return table(
        (f"against {THEIRS} {PEER}", "measured", "at most", ""),
        (
            (
                each.target.what,
                each.target.shown(each.value),
                each.target.shown(each.target.limit),
                each.verdict,
            )
            for each in found
        ),
    )


def facts(peer: str, image: Path) -> str:
    """The machine on which the numbers were measured.

    Args:
        peer: what mender-artifact prints as its version.
    """
    packages = ", ".join(f"{name} {_version(name)}" for name in ("deflate", "isal", "zstandard"))
    rows = (
        ("CPU", f"{cpu()}, {len(os.sched_getaffinity(0))} cores"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_version()}; {packages}"),
        (OURS, _version(OURS)),
        (THEIRS, peer),
        ("image", f"{image.name}, {image.stat().st_size / MB:.0f} MB"),
    )
    return table(("", ""), rows)


def page(*, results: str, targets: str, machine: str, command: str, rounds: int, date: str) -> str:
    """docs/reference/bench-artifact.md.

    Args:
        results: table of costs.
        targets: table of verdicts.
        machine: table of facts.
        command: what was run.
        rounds: the number of runs that each median is of.
        date: of the run.
    """
    return f"""# What ota-artifact costs, compared with {THEIRS}

`{command}` wrote this page on {date}. Numbers are medians of {rounds} runs; those of xz are from
one run. The two programs took turns on one root filesystem, which was in memory, and wrote to one
disk. CPU is the user and system time of all threads. {THEIRS} cannot write zstd, so our zstd is
compared with its gzip.

{targets}
{results}
In `validate gzip`, both programs read the artifact that {THEIRS} wrote; in `validate gzip of
ours`, both read the artifact that {OURS} wrote. {OURS} syncs its output to disk before it ends.
Its Python byte code had been compiled before, as an installation does. [Artifacts are
reproducible](../design/reproducible-artifacts.md) says where the time of gzip goes, and why we do
not use a faster library.

{machine}"""


def _cells(sample: Sample) -> tuple[str, ...]:
    size = f"{sample.size / MB:.1f} MB" if sample.size else ""
    return f"{sample.cpu:.2f} s", f"{sample.wall:.2f} s", f"{sample.rss / MB:.0f} MB", size


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def cpu() -> str:
    """The name of the CPU, which not all kernels know."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
