# SPDX-License-Identifier: Apache-2.0
"""Reading board.yaml: an error has file, line, field and remedy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.size import MIB
from ota_board.errors import BoardError
from ota_board.load import all_boards, board_folders, find_board, load_board
from tests.house.tree import ROOT

BOARDS = ROOT / "boards"
Changed = Callable[[str, str], Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """The description of qemu-arm64 with one text replaced; gives its file."""
    original = (BOARDS / "qemu-arm64" / "board.yaml").read_text("utf-8")

    def change(old: str, new: str) -> Path:
        assert original.count(old) >= 1
        file = tmp_path / "board.yaml"
        file.write_text(original.replace(old, new, 1), "utf-8")
        return file

    return change


@pytest.mark.parametrize("path", all_boards([BOARDS]), ids=lambda path: path.name)
def test_every_board_of_ours_is_right_and_named_as_its_folder(path: Path) -> None:
    board = load_board(path)

    assert board.name == path.name
    assert board.device_types == (path.name,)
    assert board.layout.partition("data") == board.layout.partitions[-1]


def test_on_every_mmc_board_environment_and_first_partition_are_at_the_same_place() -> None:
    boards = [load_board(path) for path in all_boards([BOARDS])]
    layouts = [board.layout for board in boards if board.environment.kind == "raw"]

    assert len(layouts) == 4
    for layout in layouts:
        assert [area.offset for area in layout.environment] == [0x400000, 0x800000]
        assert {area.size for area in layout.environment} == {0x20000}
        assert layout.partition("boot").offset == 24 * MIB


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("size: 512 MiB", "size: 1 GB", r":9: storage.size: '1 GB' is not a size; write it as"),
        ("data: {size: 64 MiB}", "data: {}", r":\d+: partitions.data.size: is missing"),
        ("[0x400000, 0x800000]", "[{}]", r":\d+: environment.offsets: must be a text"),
        (
            "{device: ttyAMA0}",
            "{device: /dev/ttyAMA0}",
            r"console.device: '/dev/ttyAMA0' must be L",
        ),
        (
            "device_trees: []",
            "device_trees: [virt]",
            r":\d+: device_trees: 'virt' must be the name",
        ),
        ("device_trees: []", "device_trees: [../a.dtb]", r"device_trees: '../a.dtb' must be the"),
        (
            "kernel:\n",
            "kernel:\n  left_out: {no card: [sdhci_pci]}\n",
            r"kernel.left_out: 'sdhci-pci' is in drivers or modules too; leave one out",
        ),
        (
            "kernel:\n",
            "kernel:\n  left_out: {no sound: [snd-pcm, snd_pcm]}\n",
            r"kernel.left_out: 'snd_pcm' is there twice; leave one out",
        ),
        ("table: mbr", "table: bsd", r":11: storage.table: 'bsd' is not one of mbr, gpt"),
        ("arch: arm64", "arch: arm64\nbogus: 1", r":8: bogus: unknown field; known: arch"),
        ("arch: arm64", "arch: arm64\narch: armhf", r":8: arch: is there twice"),
        ("schema: 1", "schema: 2", r":3: schema: must be 1"),
        ("name: qemu-arm64\n", "", r":3: name: is missing"),
        ("name: qemu-arm64", "name: Qemu_Arm", r":4: name: 'Qemu_Arm' must be lower-case"),
        ("[qemu-arm64]", "[]", r":6: device_types: must have at least one entry"),
        ("[qemu-arm64]", "qemu-arm64", r":6: device_types: must be a list"),
        ("[qemu-arm64]", "[{a: b}]", r":6: device_types: must be a text"),
        ("summary: ", "summary: |\n  two\n  ", r":5: summary: must be one line"),
        ("{device: ttyAMA0}", '{device: "a\\nb"}', r"console.device: must be one line"),
        ("storage:\n", "storage: 5\nx:\n", r"unknown field|must be a mapping"),
        ("[0x400000, 0x800000]", "[0x400000]", r"environment.offsets: has 1; give two"),
        (
            "[0x400000, 0x800000]",
            "[0x400000, 0x410000]",
            r"environment: both copies are in one block",
        ),
        ("[0x400000, 0x800000]", "[0x400000, 0x1800000]", r"partitions: .*overlaps"),
        ("/dev/mmcblk0", "/dev/vda", r"environment: raw copies need /dev/mmcblkN"),
        ("/dev/mmcblk0", "mmcblk0", r"storage.device: 'mmcblk0' must be /dev/mmcblk0"),
        (
            "slots: {size: 128 MiB}",
            "slots: {size: 300 MiB}",
            r"partitions: .*after the end of the storage",
        ),
        (
            "data: {size: 64 MiB}",
            "data: {size: 64 MiB}\n  extra: [{label: A, size: 1 MiB}]",
            r"extra\[0\].label: 'A' is taken",
        ),
        (
            "data: {size: 64 MiB}",
            "data: {size: 64 MiB}\n  extra: [{label: 'a b', size: 1 MiB}]",
            r"extra\[0\].label: 'a b' must be",
        ),
        ("kind: u-boot", "kind: lilo", r"bootloader.kind: 'lilo' is not one of u-boot, grub"),
        ("kind: u-boot", "kind: grub", r"bootloader.kind: GRUB has no defconfig"),
        ("kind: raw", "kind: grub", r"environment.kind: 'grub' does not go with"),
        (
            "firmware: []",
            "firmware: [{from: u-boot/MLO}]",
            r"firmware\[0\].from: needs either 'to'",
        ),
        ("firmware: []", "firmware: [{from: ../x, to: /x}]", r"firmware\[0\].from: '../x' must be"),
        ("drivers: [sdhci-pci, ext4, crc32c_generic]", "drivers: []", r"kernel.drivers: must have"),
        (
            "armed_by: kernel",
            "armed_by: nobody",
            r"watchdog.timeout: is needed if armed_by is not nobody",
        ),
        (
            "timeout: 30}",
            "timeout: 30, parameter: early_enable}",
            r"watchdog.parameter: is one of the driver's",
        ),
        (
            "{driver: i6300esb, armed_by: kernel, timeout: 30}",
            "{armed_by: u-boot, timeout: 30, parameter: early_enable=1}",
            r"watchdog.parameter: is one of the driver's",
        ),
        (
            "console: {device: ttyAMA0}",
            "console: {device: ttyAMA0, speed: fast}",
            r"'fast' is not a whole",
        ),
        ("timeout: 30}", "timeout: 2}", r"watchdog.timeout: must be from 3 to 3600 seconds"),
        ("timeout: 30}", "timeout: -30}", r"watchdog.timeout: must be from 3 to 3600 seconds"),
        ("schema: 1", "schema: [", r"board\.yaml:5: expected"),
        ("schema: 1", "schema: " + "[" * 9999, r"board\.yaml: nests too deep"),
    ],
)
def test_an_error_is_reported_with_its_place(
    changed: Changed, old: str, new: str, error: str
) -> None:
    with pytest.raises(BoardError, match=error) as caught:
        load_board(changed(old, new))

    assert str(caught.value).count("board.yaml:") == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"- a\n", b"text", b"a: *b\n"])
def test_a_file_that_is_not_a_description_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "board.yaml").write_bytes(content)

    with pytest.raises(BoardError, match=r"board\.yaml"):
        load_board(tmp_path)


def test_a_text_may_be_folded_over_lines_that_make_one(changed: Changed) -> None:
    board = load_board(changed("summary: ", "summary: >\n  A board,\n  "))

    assert board.summary == "A board, QEMU virt, 64-bit ARM, U-Boot, SD card"


def test_a_device_tree_may_be_in_the_folder_of_its_vendor(changed: Changed) -> None:
    board = load_board(changed("device_trees: []", "device_trees: [broadcom/bcm2837-rpi-3-b.dtb]"))

    assert board.device_trees == ("broadcom/bcm2837-rpi-3-b.dtb",)


def test_extra_partitions_come_before_data(changed: Changed) -> None:
    extra = "\n  extra: [{label: logs, size: 8 MiB}, {label: keys, size: 1 MiB}]"

    layout = load_board(changed("data: {size: 64 MiB}", "data: {size: 64 MiB}" + extra)).layout

    names = [area.name for area in layout.partitions]
    assert names == ["boot", "A", "B", "logs", "keys", "data"]
    assert layout.node("data") == "/dev/mmcblk0p7"


def test_boards_are_found_in_the_folders_that_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("chosen", "variable", "boards"):
        shutil.copytree(BOARDS / "qemu-arm64", tmp_path / folder / "mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTA_BOARDS", "variable")

    assert find_board("mine", list(board_folders("chosen"))) == Path("chosen/mine")
    assert find_board("mine", list(board_folders())) == Path("variable/mine")
    monkeypatch.delenv("OTA_BOARDS")
    assert find_board("mine", list(board_folders())) == Path("boards/mine")
    assert find_board("chosen/mine", []) == Path("chosen/mine")


def test_an_unknown_board_is_reported_with_the_known_ones() -> None:
    with pytest.raises(BoardError, match=r"nope: no such board .*; there are: beaglebone-black, "):
        find_board("nope", [BOARDS])
