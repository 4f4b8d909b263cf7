# SPDX-License-Identifier: Apache-2.0
"""Where the slots are, and which one runs."""

import os
from pathlib import Path

import pytest

from ota_agent.device.slots import Slot, Slots, read_slots
from ota_agent.errors import AgentError
from ota_artifact.layout import to_json
from ota_board.load import load_board
from tests.house.tree import ROOT

B = Slot("B", Path("/dev/mmcblk0p3"), 3)


@pytest.mark.parametrize(
    ("board", "nodes"),
    [
        ("qemu-arm64", ("/dev/mmcblk0p2", "/dev/mmcblk0p3")),
        ("qemu-x86-64", ("/dev/vda2", "/dev/vda3")),
    ],
)
def test_the_layout_that_an_image_carries_is_read(
    tmp_path: Path, board: str, nodes: tuple[str, str]
) -> None:
    layout = load_board(ROOT / "boards" / board).layout
    (tmp_path / "layout.json").write_text(to_json(layout))

    slots = read_slots(tmp_path / "layout.json")

    assert (str(slots.a.node), str(slots.b.node)) == nodes
    assert (slots.a.number, slots.b.number) == (2, 3)
    assert slots.environment == tuple(each.offset for each in layout.environment)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"device": "/dev/x", "areas": []}', "7"])
def test_what_is_not_a_layout_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "layout.json").write_text(text)

    with pytest.raises(AgentError, match=r"layout\.json: is not a layout file: "):
        read_slots(tmp_path / "layout.json")


def test_a_layout_without_a_second_slot_is_named(tmp_path: Path) -> None:
    text = to_json(load_board(ROOT / "boards" / "qemu-arm64").layout).replace('"B"', '"C"')
    (tmp_path / "layout.json").write_text(text)

    with pytest.raises(AgentError, match=r"layout\.json: has no partition B"):
        read_slots(tmp_path / "layout.json")


def test_a_missing_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="No such file or directory; which partitions"):
        read_slots(tmp_path / "none")


def test_a_root_that_is_not_a_slot_is_named(tmp_path: Path) -> None:
    slots = Slots(Slot("A", tmp_path, 2), Slot("B", tmp_path, 3))

    with pytest.raises(AgentError, match="which is neither slot A"):
        slots.running(tmp_path)


def test_a_slot_that_is_missing_is_named(tmp_path: Path) -> None:
    slots = Slots(Slot("A", tmp_path / "none", 2), B)

    with pytest.raises(AgentError, match=r"none: No such file.*is it slot A\?"):
        slots.running()


@pytest.mark.skipif(os.geteuid() != 0, reason="making a device node needs root")
def test_the_slot_with_roots_device_runs(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "b", 0o60600, tmp_path.stat().st_dev)
        os.mknod(tmp_path / "a", 0o60600, os.makedev(7, 250))
    except PermissionError as error:
        pytest.skip(f"no device nodes here: {error}")
    slots = Slots(Slot("A", tmp_path / "a", 2), Slot("B", tmp_path / "b", 3))

    assert slots.running(tmp_path).name == "B"
    assert slots.other(slots.b) == slots.a
    assert slots.of("A") == slots.a
