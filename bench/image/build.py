# SPDX-License-Identifier: Apache-2.0
"""`ota-image build` of a board with a full or an empty cache, and how soon the board is up."""

import os
import sys
from pathlib import Path

from bench.artifact.measure import Sample, measure, median
from bench.image.compose import BOARD
from bench.image.target import Target
from ota_board.load import board_folders, find_board, load_board
from ota_hil.qemu import powered
from ota_image.build import newest_image
from ota_image.firmware.u_boot import u_boot_of

_USERSPACE = "userspace up"
"""The milestone: init's first line. Source: images/overlay, usr/lib/ota/start."""

_LONGEST = 120.0  # [s] that a boot may take


def build_cached(folder: Path, *, rounds: int) -> Sample:
    """Time a build with packages and U-Boot in the cache, but no root filesystem of these options.

    Raises:
        ProgramError: a program is missing, or failed.
    """
    _build(folder, release="warm")
    return median(_build(folder, release=f"round{each}") for each in range(rounds))


def build_cold(folder: Path) -> Sample:
    """Time a build with an empty cache: it downloads packages and source, and compiles U-Boot.

    Raises:
        ProgramError: a program is missing, or failed; or there is no network.
    """
    return _build(folder, release="cold", cache=folder / "cache")


def power_on_to_userspace(folder: Path, *, rounds: int) -> float:
    """Median time from power-on in QEMU to init's first line [s], with `build_cached`'s image.

    Raises:
        HilError: the board does not come up.
        ProgramError: QEMU is missing.
    """
    place = find_board(BOARD, list(board_folders()))
    board = load_board(place)
    image = newest_image(board, folder / "built")
    firmware = u_boot_of(board, place, None, lambda _: None).folder / "u-boot.bin"
    times = []
    for _ in range(rounds):
        with powered(board, image, firmware) as machine:
            machine.console.expect(_USERSPACE, timeout=_LONGEST)
            times += [each.time for each in machine.console.lines if _USERSPACE in each.text]
    return sorted(times)[len(times) // 2]


def targets(build: Sample, userspace: float, from_nothing: Sample | None) -> list[Target]:
    """The limits, and the measured times."""
    found = [
        Target(
            what=f"build {BOARD}, packages and U-Boot in the cache",
            value=build.wall,
            limit=40,
            unit="s",
        )
    ]
    if from_nothing:
        found.append(
            Target(what=f"build {BOARD}, empty cache", value=from_nothing.wall, limit=360, unit="s")
        )
    return [
        *found,
        Target(what=f"{BOARD}, power-on to userspace", value=userspace, limit=10, unit="s"),
    ]


def _build(folder: Path, *, release: str, cache: Path | None = None) -> Sample:
    """Build a release of its own, so that its root filesystem is not in the cache."""
    environment = {**os.environ, **({"XDG_CACHE_HOME": str(cache)} if cache else {})}
    name = f"bench-{os.getpid()}-{release}"
    output = folder / "built"
    program = Path(sys.executable).with_name("ota-image")
    words = [program, "build", BOARD, "--release", name, "--output", output]
    argv = [str(word) for word in words]
    return measure(argv, environment=environment, output=output / f"minimal-{BOARD}-{name}.sdimg")
