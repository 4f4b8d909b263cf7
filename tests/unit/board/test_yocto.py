# SPDX-License-Identifier: Apache-2.0
"""The Yocto layer's file for a board is current, and BitBake reads it as intended."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.board import Board
from ota_board.cli.main import main
from ota_board.errors import BoardError
from ota_board.load import all_boards, load_board
from ota_board.yocto import include, include_name, include_of
from tests.house.tree import ROOT

INCLUDES = ROOT / "meta-ota" / "conf" / "machine" / "include"
FOLDER = str(ROOT / "boards")
BOARDS = [board for path in all_boards([ROOT / "boards"]) if (board := load_board(path)).yocto]


def values(text: str) -> dict[str, str]:
    """The settings of an include."""
    return dict(re.findall(r'^(\S+) = "(.*)"$', text, re.MULTILINE))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_include_in_the_layer_is_fresh(board: Board) -> None:
    committed = (INCLUDES / include_name(board)).read_text("utf-8")

    assert committed == include(board), f"run: ota-board render {board.name} --layer meta-ota"


def test_the_layer_has_no_include_of_a_board_that_is_gone() -> None:
    names = {path.name for path in INCLUDES.iterdir()}

    assert names == {include_name(board) for board in BOARDS}


def test_the_machines_are_those_of_the_boards() -> None:
    assert {board.name: board.yocto.machine for board in BOARDS if board.yocto} == {
        "beaglebone-black": "beaglebone-yocto",
        "qemu-arm64": "qemuarm64",
        "qemu-x86-64": "qemux86-64",
        "raspberrypi3": "raspberrypi3-64",
    }


def test_every_line_is_one_that_bitbake_reads() -> None:
    for board in BOARDS:
        lines = include(board).splitlines()
        assert all(re.fullmatch(r'#.*|[A-Z_]+(:[a-z]+)* :?= "[^"]*"', line) for line in lines)


def test_a_slot_has_the_size_of_the_layout_and_on_a_disk_that_grows_room_for_systemd() -> None:
    sizes = {board.name: int(values(include(board))["OTA_SLOT_SIZE"]) for board in BOARDS}

    for board in BOARDS:
        own = board.layout.partition("A").size
        assert sizes[board.name] == (256 << 20 if board.storage.grows else own)
    assert {board.name for board in BOARDS if board.storage.grows} == {"qemu-arm64", "qemu-x86-64"}


def test_firmware_that_is_twice_on_the_disk_is_named_once() -> None:
    (board,) = [each for each in BOARDS if each.name == "beaglebone-black"]

    assert values(include(board))["OTA_FIRMWARE"] == "MLO u-boot.img"


def test_a_setting_of_the_board_replaces_the_one_that_follows_from_it() -> None:
    (board,) = [each for each in BOARDS if each.name == "raspberrypi3"]

    assert board.yocto
    yocto = replace(board.yocto, settings={"OTA_CONSOLE": "ttyS9"})

    text = include(replace(board, yocto=yocto))

    assert values(text)["OTA_CONSOLE"] == "ttyS9"
    assert text.count("OTA_CONSOLE") == 1


def test_runqemu_starts_a_machine_of_qemu_from_its_disk_as_our_own_command_does() -> None:
    """The machine's own settings are read later: each of ours needs an override to hold."""
    texts = {board.name: include(board) for board in BOARDS}

    card, disk = values(texts["qemu-arm64"]), values(texts["qemu-x86-64"])
    assert card["QB_DEFAULT_FSTYPE:ota"] == disk["QB_DEFAULT_FSTYPE:ota"] == "sdimg"
    assert card["QB_DEFAULT_BIOS:ota"] == "u-boot.bin"
    assert card["QB_ROOTFS_OPT:ota"].endswith("-device sdhci-pci -device sd-card,drive=disk")
    assert "i6300esb" in card["QB_OPT_APPEND:append:ota"]
    assert disk["QB_ROOTFS_OPT:ota"].endswith("-device virtio-blk-pci,drive=disk")
    assert all("QB_" not in texts[name] for name in ("raspberrypi3", "beaglebone-black"))
    assert not re.search(r"^QB_\w+ =", "".join(texts.values()), re.MULTILINE)


def test_a_separate_layer_has_the_path_of_the_board(tmp_path: Path) -> None:
    """The file stays valid if both folders are moved together."""
    board = replace(BOARDS[0], name="gate")
    (tmp_path / "meta-gate" / "conf").mkdir(parents=True)
    (tmp_path / "meta-gate" / "conf" / "layer.conf").touch()
    (tmp_path / "boards" / "gate").mkdir(parents=True)

    path, text = include_of(board, tmp_path / "boards" / "gate", tmp_path / "meta-gate")

    assert path == tmp_path / "meta-gate/conf/machine/include/ota-gate.inc"
    assert "OTA_BOARDS := \"${@os.path.normpath('${FILE_DIRNAME}/../../../../boards')}\"\n" in text
    assert include_of(board, tmp_path / "boards" / "gate", tmp_path / "meta-gate") == (path, text)


def test_new_has_kas_require_the_new_board(tmp_path: Path) -> None:
    origin = ["--boards", FOLDER, "--from", "raspberrypi3", "--output", str(tmp_path)]

    assert main(["new", "mine", *origin]) == 0

    text = (tmp_path / "mine" / "kas.yml").read_text("utf-8")
    assert "require conf/machine/include/ota-mine.inc\n" in text
    assert "ota-raspberrypi3.inc" not in text


def test_render_writes_what_yocto_requires_into_a_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "layer.conf").touch()

    command = ["render", "--boards", FOLDER, "raspberrypi3", "--layer", str(tmp_path)]

    assert main(command) == 0
    path = tmp_path / "conf/machine/include/ota-raspberrypi3.inc"
    assert capsys.readouterr().out == f"{path}\n"
    assert 'OTA_BOARD = "raspberrypi3"\n' in path.read_text("utf-8")


def test_our_own_includes_lead_to_our_boards() -> None:
    for board in BOARDS:
        (way,) = re.findall(r"\$\{FILE_DIRNAME\}/(\S+)'", include(board))
        assert (INCLUDES / way / board.name / "board.yaml").is_file()


@pytest.mark.parametrize(
    ("folder", "layer", "error"),
    [
        (
            "boards/door",
            "meta-gate",
            "describes the board gate, and BitBake looks for a folder with",
        ),
        ("boards/gate", "boards", "boards: has no conf/layer.conf; name the top folder of a layer"),
    ],
)
def test_an_include_with_which_bitbake_would_not_find_the_board_is_refused(
    tmp_path: Path, folder: str, layer: str, error: str
) -> None:
    (tmp_path / "meta-gate" / "conf").mkdir(parents=True)
    (tmp_path / "meta-gate" / "conf" / "layer.conf").touch()

    with pytest.raises(BoardError, match=error):
        include_of(replace(BOARDS[0], name="gate"), tmp_path / folder, tmp_path / layer)


def test_a_board_that_yocto_does_not_build_has_none() -> None:
    with pytest.raises(BoardError, match="qemu-arm64: has no 'yocto' in its"):
        include(replace(load_board(ROOT / "boards" / "qemu-arm64"), yocto=None))


@pytest.mark.parametrize(
    ("yocto", "error"),
    [
        ("{machine: Qemu}", "yocto.machine: 'Qemu' must be lower-case letters"),
        ("{machine: qemu, settings: {lower: x}}", "'lower' is not a BitBake variable"),
        (
            "{machine: qemu, settings: {A: 'x\"'}}",
            "A: must not have a quote or a backslash",
        ),
        ("{machine: qemu, settings: []}", "yocto.settings: must be a mapping of names to texts"),
    ],
)
def test_a_setting_that_bitbake_would_misread_is_refused(
    tmp_path: Path, yocto: str, error: str
) -> None:
    text = (ROOT / "boards/qemu-arm64/board.yaml").read_text("utf-8")
    file = tmp_path / "board.yaml"
    file.write_text(text.partition("\nyocto:")[0] + f"\nyocto: {yocto}\n")

    with pytest.raises(BoardError, match=re.escape(error)):
        load_board(file)
