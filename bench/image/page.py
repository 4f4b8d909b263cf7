# SPDX-License-Identifier: Apache-2.0
"""The tables that people read, and docs/reference/bench-image.md."""

import os
import platform
from collections.abc import Sequence

from bench.artifact.measure import Sample
from bench.artifact.page import cpu, table
from bench.image.target import Target
from ota_artifact.image.workplace import find_program
from ota_artifact.run import run
from ota_image import __version__


def verdicts(found: Sequence[Target]) -> str:
    """Each target, and whether it was reached."""
    return table(("", "measured", "at most", ""), (each.cells for each in found))


def costs(found: Sequence[tuple[str, Sample]]) -> str:
    """What each way of making an image cost."""
    rows = (
        (name, f"{cost.wall:.2f} s", f"{cost.cpu:.2f} s", f"{cost.rss / 1e6:.0f} MB")
        for name, cost in found
    )
    return table(("", "wall", "CPU", "peak RSS"), rows)


def facts(load: float) -> str:
    """The machine on which the numbers were measured.

    Args:
        load: the machine's, of the last minute, before the first run.
    """
    genimage = run((find_program("genimage", package="genimage"), "--version"), timeout=60)
    qemu = run(("qemu-system-aarch64", "--version"), timeout=60).decode().split("(")[0].split()
    rows = (
        ("CPU", f"{cpu()}, {len(os.sched_getaffinity(0))} cores"),
        ("load before the first run", f"{load:.2f}"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("ota-image", __version__),
        ("genimage", genimage.decode().split()[-1]),
        ("QEMU", qemu[-1]),
    )
    return table(("", ""), rows)


def page(*, targets: str, results: str, machine: str, command: str, rounds: int, date: str) -> str:
    """docs/reference/bench-image.md.

    Args:
        targets: table of verdicts.
        results: table of costs.
        machine: table of facts.
        command: what was run.
        rounds: the number of runs that each median is of.
        date: of the run.
    """
    return f"""# What ota-image costs

`{command}` wrote this page on {date}. Numbers are medians of {rounds} runs; those with an empty
cache are from one run. Programs that are compared took turns, on one root filesystem of 128 MiB
with 2000 files.

{targets}
{results}
`compose` writes the block map and syncs the image to disk before it ends; genimage does neither.
The checksums of slot A are computed while other programs make the rest. The time to userspace
runs to the first line of init, without a delay for a keypress; U-Boot and the kernel are
emulated, instruction by instruction.

{machine}"""
