# SPDX-License-Identifier: Apache-2.0
"""The command `ota-board` as a user calls it."""

import json
from pathlib import Path

import pytest

from ota_board.cli.main import main
from ota_board.load_hil import load_hil
from tests.house.tree import ROOT

BOARDS = str(ROOT / "boards")


def test_list_shows_every_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--boards", BOARDS]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[3].startswith("qemu-x86-64       QEMU q35")


def test_list_and_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "--boards", BOARDS, "--json"])
    assert "raspberrypi3" in json.loads(capsys.readouterr().out)

    main(["show", "--boards", BOARDS, "qemu-arm64", "--json"])
    assert json.loads(capsys.readouterr().out)["partitions"]["slot"] == 128 << 20


def test_show_has_units(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "--boards", BOARDS, "beaglebone-black"])

    said = capsys.readouterr().out
    assert "  slot: 256 MiB\n" in said
    assert "  offsets: 0x400000, 0x800000\n" in said
    assert "    - name: MLO\n      offset: 0x20000\n      size: 128 KiB\n" in said
    assert "    speed" not in said
    assert "  speed: 115200\n" in said


def test_check_says_which_board_is_wrong_and_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = ["--boards", BOARDS, "--from", "qemu-arm", "--output", str(tmp_path)]
    for name in ("good", "wrong"):
        assert main(["new", name, *origin]) == 0
    file = tmp_path / "wrong" / "board.yaml"
    file.write_text(file.read_text().replace("arch: armhf", "arch: mips"))
    capsys.readouterr()

    assert main(["check", "--boards", str(tmp_path), "wrong", "good"]) == 2

    said = capsys.readouterr()
    assert said.out == "good: ok\n"
    assert "wrong/board.yaml:7: arch: 'mips' is not one of arm64, armhf, amd64" in said.err


def test_check_reads_hil_yaml_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "mine", "--boards", BOARDS, "--from", "qemu-arm", "--output", str(tmp_path)])
    file = tmp_path / "mine" / "hil.yaml"
    file.write_text(file.read_text().replace("kernel: {within: ", "kernel: {within: soon"))

    assert main(["check", "--boards", str(tmp_path), "mine"]) == 2

    said = capsys.readouterr().err
    assert "mine/hil.yaml:8: milestones.kernel.within: 'soon30' is not a whole number" in said


def test_layout_is_a_table_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout", "--boards", BOARDS, "qemu-arm64"]) == 0

    assert capsys.readouterr().out == LAYOUT


def test_new_makes_another_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin = ["--boards", BOARDS, "--from", "qemu-arm64", "--output", str(tmp_path)]

    assert main(["new", "mine", *origin]) == 0

    main(["show", "--boards", str(tmp_path), "mine"])
    said = capsys.readouterr().out
    assert "name: mine\n" in said
    assert "device_types: mine\n" in said
    readme = (tmp_path / "mine" / "README.md").read_text("utf-8")
    assert readme.startswith("# mine\n\nCopied from qemu-arm64. Not built and not tested yet")
    hil = load_hil(tmp_path / "mine", "u-boot")
    assert hil
    assert {each.basis for each in hil.milestones} == {"estimate"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["new", "Mine", "--from", "qemu-arm"], "'Mine' is not a board's name"),
        (["new", "mine", "--from", "nope"], "nope: no such board"),
        (["new", "taken", "--from", "qemu-arm"], "taken: already exists"),
        (["show", "nope"], "nope: no such board"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    error: str,
) -> None:
    (tmp_path / "boards" / "taken").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert main([*arguments, "--boards", BOARDS]) == 2

    assert error in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "boards").iterdir()] == ["taken"]


def test_render_writes_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"

    assert main(["render", "--boards", BOARDS, "raspberrypi3", "--output", str(folder)]) == 0

    assert sorted(path.name for path in folder.iterdir()) == [
        "board",
        "fstab",
        "fw_env.config",
        "layout.json",
        "u-boot.cfg",
        "u-boot.env",
    ]
    assert str(folder / "fstab") in capsys.readouterr().out


def test_an_entry_is_written_where_the_bootloader_looks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["entry", "--boards", BOARDS, "qemu-arm64", "--kernel", "/boot/Image"]

    assert main([*command, "--output", str(tmp_path)]) == 0

    path = tmp_path / "boot/extlinux/extlinux.conf"
    assert capsys.readouterr().out == f"{path}\n"
    assert main(command) == 0
    assert path.read_text("utf-8") == capsys.readouterr().out


def test_check_finds_what_a_build_of_u_boot_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["render", "--boards", BOARDS, "qemu-arm64", "--output", str(tmp_path)])
    config = tmp_path / ".config"
    text = (tmp_path / "u-boot.cfg").read_text("utf-8").replace("u-boot.env", "/elsewhere/u.env")
    config.write_text(text)
    command = ["check", "--boards", BOARDS, "qemu-arm64", "--u-boot-config", str(config)]

    assert main(command) == 0

    lost = [line for line in text.splitlines() if "REDUNDA" not in line]
    config.write_text("\n".join(lost))
    assert main(command) == 2
    assert "is built without CONFIG_ENV_REDUNDANT=y, is n" in capsys.readouterr().err


def test_check_knows_that_grub_has_no_such_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / ".config"
    config.touch()

    assert main(["check", "--boards", BOARDS, "qemu-x86-64", "--u-boot-config", str(config)]) == 2
    assert "qemu-x86-64: boots with grub, not with U-Boot" in capsys.readouterr().err


LAYOUT = """\
offset           size  no  area
0x0             512 B      MBR (table)
0x200       4193792 B      -
0x400000      128 KiB      environment 1 (environment)
0x420000     3968 KiB      -
0x800000      128 KiB      environment 2 (environment)
0x820000    16256 KiB      -
0x1800000      40 MiB   1  boot
0x4000000     128 MiB   2  A
0xc000000     128 MiB   3  B
0x14000000     64 MiB   4  data
0x18000000    128 MiB      -

0 B                24 MiB  64 MiB          192 MiB         320 MiB  384 MiB         512 MiB
+------------------+-------+---------------+---------------+--------+---------------+
| MBR, environment | boot  |       A       |       B       |  data  |     free      |
+------------------+-------+---------------+---------------+--------+---------------+
"""


@pytest.mark.parametrize("name", ["u-boot.env", "u-boot.cfg", "kas.yml"])
def test_a_file_of_a_board_in_another_encoding_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = ["--boards", BOARDS, "--from", "qemu-arm", "--output", str(tmp_path)]
    assert main(["new", "mine", *origin]) == 0
    (tmp_path / "mine" / name).write_bytes(b"# f\xfcr mich\n")
    mine = str(tmp_path / "mine")
    words = {"kas.yml": ["new", "other", "--from", mine]}.get(name, ["render", mine])

    code = main([*words, "--output", str(tmp_path / "made")])

    assert code == 2
    assert f"{name}:1: is not UTF-8; save it in UTF-8" in capsys.readouterr().err
