# SPDX-License-Identifier: Apache-2.0
"""The tables that people read, and docs/reference/bench-agent.md."""

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.agent.daemon import POLLS, Idle
from bench.agent.install import UNSIGNED
from bench.agent.programs import OURS, THEIRS
from bench.artifact.measure import Sample
from bench.artifact.page import cpu, table
from bench.artifact.targets import MB, Result
from bench.image.target import Target


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of one run of the bench.

    Attributes:
        installs: by case.
        idle: by program.
        starts: from exec to the first poll, by program [s].
    """

    installs: Mapping[str, Result]
    idle: Mapping[str, Idle]
    starts: Mapping[str, float]


def targets(found: Measured) -> Iterator[Target]:
    """The agent's limits, and its measured costs."""
    ours, theirs = found.idle[OURS], found.idle[THEIRS]
    yield Target(what="daemon, idle: peak RSS", value=ours.rss / MB, limit=30, unit="MB")
    for case, result in found.installs.items():
        ratio = result.ours.cpu / result.theirs.cpu
        yield Target(what=f"{case}: CPU, compared with {THEIRS}", value=ratio, limit=1.0)
        yield Target(what=f"{case}: peak RSS", value=result.ours.rss / MB, limit=40, unit="MB")
    yield Target(
        what=f"daemon, idle: CPU, compared with {THEIRS}", value=ours.cpu / theirs.cpu, limit=1.0
    )
    yield Target(
        what="daemon, start to the first poll", value=found.starts[OURS], limit=1.5, unit="s"
    )


def verdicts(found: Measured) -> str:
    """Each target, and whether it was reached."""
    return table(("", "measured", "at most", ""), (each.cells for each in targets(found)))


def installs(found: Measured) -> str:
    """What each install cost, ours above theirs."""
    rows = []
    for case, result in found.installs.items():
        rows.append((case, OURS, *_cells(result.ours)))
        rows.append(("", THEIRS, *_cells(result.theirs)))
    return table(("", "", "CPU", "wall", "peak RSS"), rows)


def daemons(found: Measured) -> str:
    """What each daemon cost."""
    rows = (
        (
            who,
            f"{found.starts[who]:.2f} s",
            f"{each.start:.2f} s",
            f"{each.cpu * 1000:.0f} ms",
            f"{each.polls}",
            f"{each.rss / MB:.1f} MB",
        )
        for who, each in found.idle.items()
    )
    head = ("", "to the first poll", "CPU to start", "CPU, idle", "polls", "peak RSS")
    return table(head, rows)


def facts(versions: Mapping[str, str], image: Path, load: float) -> str:
    """The machine on which the numbers were measured.

    Args:
        versions: of Debian's packages.
        load: the machine's, of the last minute, before the first run.
    """
    rows = (
        ("CPU", f"{cpu()}, {len(os.sched_getaffinity(0))} cores"),
        ("load before the first run", f"{load:.2f}"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        *versions.items(),
        ("image", f"{image.name}, {image.stat().st_size / MB:.0f} MB"),
    )
    return table(("", ""), rows)


def page(
    found: Measured, *, machine: str, command: str, rounds: int, seconds: float, date: str
) -> str:
    """docs/reference/bench-agent.md.

    Args:
        machine: table of facts.
        command: what was run.
        rounds: the number of runs that each median is of.
        seconds: how long the daemons were idle [s].
        date: of the run.
    """
    return f"""# What ota-agent costs, compared with {THEIRS}

`{command}` wrote this page on {date}. Numbers are medians of {rounds} runs; those of the
idle daemons are from one run. CPU is the user and system time of all threads and all children.

{verdicts(found)}
{installs(found)}
An install reads an artifact that `ota-artifact` wrote from an HTTP server on the same machine. It
ends when slot B is written and synced and the bootloader is set to it. Before each install, slot
B held another system; after each one, we compared slot B with the image. `{UNSIGNED}, signed` is
signed with ECDSA P-256, and both programs require the signature.

{daemons(found)}
Both daemons ran at the same time, for {seconds:g} s, against one server with TLS that had nothing
to install; both were set to poll it {POLLS} times. The idle time begins 10 s after the first poll.
"CPU to start" covers everything before that, including the inventory. The peak is that of the
daemon's own process, from its start on. The time to the first poll runs from exec to the server's
answer; the daemon already has a key.

Both programs ran in the same root filesystem: the packages of the minimal image, and {THEIRS}. A
loop device is mounted as `/`, and another one is slot B. U-Boot's environment is a file, which
fw_setenv of Debian's libubootenv writes. The agent uses Debian's Python and Debian's packages for
its imports, with byte code, and none of the libraries that make artifacts faster on a host.

{machine}"""


def _cells(sample: Sample) -> tuple[str, ...]:
    return f"{sample.cpu:.2f} s", f"{sample.wall:.2f} s", f"{sample.rss / MB:.1f} MB"
