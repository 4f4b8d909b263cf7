# SPDX-License-Identifier: Apache-2.0
"""Each board's boot logic in U-Boot's sandbox, with a card as `ota-image` composes it."""

import shlex
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ota_artifact.image.sparse import copy_range, copy_sparse, extents
from ota_board.board import Board
from ota_board.entry import extlinux
from ota_board.load import load_board
from ota_board.u_boot import default_environment, factory_environment
from ota_image.disk.compose import Parts, compose
from tests.boot.machine import Machine
from tests.boot.sources import SOURCES, tree_of
from tests.house.tree import ROOT
from tests.sandbox.build import BOARD_TREE, build_sandbox, folder_of

BOARDS = {
    board.name: board
    for board in map(load_board, sorted(path.parent for path in ROOT.glob("boards/*/board.yaml")))
    if board.bootloader.kind == "u-boot"
}

Start = Callable[..., Machine]

_ZIMAGE = 0x016F2818  # Source: Linux, Documentation/arch/arm/booting.rst
_NOP = 0xE1A00000
_KERNEL = struct.pack("<9I3I", *(_NOP,) * 9, _ZIMAGE, 0, 4096).ljust(4096, b"\0")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test runs on every board, unless it names one."""
    if "board_name" in metafunc.fixturenames and not any(
        "board_name" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")
    ):
        metafunc.parametrize("board_name", BOARDS)


@pytest.fixture
def board_name() -> str:
    raise AssertionError("each test is given one")


@pytest.fixture(scope="session", params=SOURCES)
def sandboxes(request: pytest.FixtureRequest) -> Path:
    """The sandbox of each board, compiled once for each source."""
    return build_sandbox(tuple(BOARDS.values()), tree_of(request.param), print)


@pytest.fixture(scope="session")
def golden_card(
    sandboxes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Board], Path]:
    """A board's card as from the factory, except that slot B has a kernel too."""
    made: dict[str, Path] = {}

    def card(board: Board) -> Path:
        if board.name not in made:
            folder = tmp_path_factory.mktemp(board.name)
            first, second = (_compose(board, slot, folder, sandboxes) for slot in ("A", "B"))
            _copy_slot_b(board, second, first)
            made[board.name] = first
        return made[board.name]

    return card


@pytest.fixture
def start(
    board_name: str, sandboxes: Path, golden_card: Callable[[Board], Path], tmp_path: Path
) -> Start:
    """Gives a machine, not powered on yet; options are what its U-Boot detects on the board.

    On a board, the board's own code sets such variables after the environment is loaded and before
    the boot logic runs. The sandbox gets them on its command line.
    """
    board = BOARDS[board_name]
    card = tmp_path / "disk.sdimg"  # as card.dts has it
    with golden_card(board).open("rb") as source, card.open("wb") as target:
        copy_sparse(source.fileno(), target.fileno())

    def with_facts(facts: Mapping[str, str] | None = None) -> Machine:
        lines = [f"setenv {name} {shlex.quote(value)}" for name, value in (facts or {}).items()]
        told = ("-i", "-c", "; ".join(lines)) if lines else ()
        program = sandboxes / board.name
        # It would wait for an open console that sends nothing; a board does not.
        there = ("sh", "-c", 'cd "$0" && exec "$@" < /dev/null', tmp_path)
        command = (*there, program, "-d", sandboxes / BOARD_TREE, *told)
        return Machine(board=board, disk=card, u_boot=program, command=tuple(map(str, command)))

    return with_facts


@pytest.fixture
def machine(start: Start) -> Machine:
    """A board that detects nothing."""
    return start()


def _compose(board: Board, slot: str, folder: Path, sandboxes: Path) -> Path:
    """A card with the files of a slot: those that extlinux.conf names, as small as can be."""
    boot = folder / slot / "boot"
    (boot / "extlinux").mkdir(parents=True)
    (boot / "dtbs").mkdir()
    lines = extlinux(board).rstrip()
    (boot / "extlinux" / "extlinux.conf").write_text(f"{lines} test.slot={slot}\n")
    (boot / "vmlinuz").write_bytes(_KERNEL)
    (boot / "initrd.img").write_bytes(b"initrd".ljust(512, b"\0"))
    for name in board.device_trees:
        (boot / "dtbs" / name).write_bytes((sandboxes / BOARD_TREE).read_bytes())
    variables = factory_environment(default_environment(board, folder_of(board)))
    card = folder / f"{slot}.sdimg"
    compose(board.layout, Parts(rootfs=folder / slot, variables=variables), card, progress=print)
    return card


def _copy_slot_b(board: Board, source: Path, target: Path) -> None:
    """Copy slot A of one card to slot B of another, which has nothing but metadata."""
    first, second = board.layout.partition("A"), board.layout.partition("B")
    shift = second.offset - first.offset
    with source.open("rb") as reader, target.open("r+b") as writer:
        for start, end in extents(reader.fileno()):
            begin, stop = max(start, first.offset), min(end, first.end)
            if begin < stop:
                copy_range(reader.fileno(), writer.fileno(), begin, stop, shift=shift)
