# SPDX-License-Identifier: Apache-2.0
"""What libparted adds for disks that are not ours, and that it never touches the image."""

import json
import os
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.cli.main import main
from ota_image.disk import foreign
from ota_image.doctor.examine import diagnose
from tests.conftest import requires_program
from tests.unit.image.disk.small import MIB, ext4, tree

pytest.importorskip("parted", reason="no pyparted here: pip install 'ota-image[host]'")
pytestmark = requires_program("sfdisk", package="fdisk")


def disk(folder: Path, script: str, size: int = 32 * MIB) -> Path:
    path = folder / "disk.img"
    with path.open("wb") as file:
        file.truncate(size)
    run(("sfdisk", "--quiet", path), timeout=10, stdin=f"{script}\n".encode())
    return path


@pytest.fixture
def raspberry(tmp_path: Path) -> Path:
    """A disk like that of Raspberry Pi OS: one root filesystem."""
    path = disk(tmp_path, "label: dos\nsize=8192, type=c\nsize=16384, type=83")
    root = ext4(tmp_path / "root", tree(tmp_path / "tree"))
    with path.open("r+b") as file:
        file.seek(5 * MIB)
        file.write(root.read_bytes())
    return path


def inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert main(["inspect", str(path)]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("label", "name"), [("sun", "sun"), ("sgi", "dvh")])
def test_a_table_of_another_kind_is_named_and_its_partitions_are_listed(
    tmp_path: Path, label: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = disk(tmp_path, f"label: {label}\nsize=8192")

    said = inspected(path, capsys)

    assert said[0] == f"{path}: 32 MiB, {name} label: not supported, only MBR and GPT are"
    assert said[1].split() == ["no", "name", "offset", "size", "type", "filesystem"]
    assert said[2].split()[0] in ("1", "9")
    assert main(["doctor", str(path)]) == 2
    assert f"has a {name} label; only an MBR or a GPT is supported" in capsys.readouterr().err
    assert main(["inspect", "--json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["table"] == name


@pytest.mark.parametrize(
    "script",
    ["label: sgi", "label: sun\nsize=8192", "label: gpt\nsize=8192", "label: dos\nsize=8192"],
)
@pytest.mark.parametrize("damage", ["none", "no backup", "backup elsewhere", "no first"])
def test_the_image_and_its_neighbours_are_never_written(
    tmp_path: Path, script: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = disk(tmp_path, script)
    neighbour = tmp_path / "disk.img1"  # libparted takes it for partition 1 and opens it
    neighbour.write_bytes(b"kept")
    with path.open("r+b") as file:
        if damage == "backup elsewhere":  # libparted asks whether to mend that
            file.truncate(40 * MIB)
        elif damage != "none":
            file.seek(512 if damage == "no first" else 32 * MIB - 512)
            file.write(bytes(512))
    os.utime(path, (1, 1))
    before = path.read_bytes()

    codes = {main(["inspect", str(path)]), main(["doctor", str(path)])}

    assert codes <= {0, 2}
    assert path.read_bytes() == before
    assert path.stat().st_mtime == 1
    assert neighbour.read_bytes() == b"kept"
    assert sorted(tmp_path.iterdir()) == [path, neighbour]
    assert "raceback" not in capsys.readouterr().err


def test_free_space_is_shown(raspberry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = inspected(raspberry, capsys)

    assert [line for line in said if line.startswith("free: ") and line.endswith(" at 0xd00000")]
    assert main(["inspect", "--json", str(raspberry)]) == 0
    free = dict(json.loads(capsys.readouterr().out)["free"])
    assert 18 * MIB < free[13 * MIB] <= 19 * MIB  # libparted may round to cylinders


def test_a_filesystem_that_libparted_alone_knows_is_named(
    raspberry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with raspberry.open("r+b") as file:  # Source: Linux, fs/reiserfs/reiserfs.h
        for at, data in ((0, (1024).to_bytes(4, "little")), (44, b"\0\x10"), (52, b"ReIsErFs")):
            file.seek(MIB + 65536 + at)
            file.write(data)

    assert inspected(raspberry, capsys)[3].split()[-1] == "reiserfs"


def test_a_partition_between_two_blocks_of_a_card_is_a_hazard(tmp_path: Path) -> None:
    path = disk(tmp_path, "label: dos\nstart=63, size=8192\nsize=8192")

    found = {each.hazard: each.place for each in diagnose(path).findings}

    assert found["partition-not-aligned"] == "partition 1 at 0x7e00"


def test_a_table_for_sectors_of_4096_bytes_is_read_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(32 * MIB)
    run(("fdisk", "-b", "4096", path), timeout=10, stdin=b"g\nn\n1\n256\n511\nw\n")

    said = inspected(path, capsys)

    assert said[0].startswith(f"{path}: 32 MiB, GPT for sectors of 4096 B, ")
    assert f"free: {32 * 1024 - 2048 - 20} KiB at 0x200000" in said


def test_without_pyparted_an_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = disk(tmp_path, "label: sun\nsize=8192")
    monkeypatch.setattr(foreign, "find_spec", lambda _name: None)

    assert main(["inspect", str(path)]) == 2

    said = capsys.readouterr().err
    assert "neither a partition table nor a filesystem that we know; libparted may know it" in said
    assert "pip install 'ota-image[host]'" in said


def test_without_pyparted_our_own_readers_show_what_they_can_and_name_what_is_missing(
    raspberry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(foreign, "find_spec", lambda _name: None)

    said = inspected(raspberry, capsys)

    assert "  not looked at: neither free space nor" in "\n".join(said)
    assert not [line for line in said if line.startswith("free:")]
    assert main(["doctor", str(raspberry)]) == 2
    assert "not looked at: neither free space nor the" in capsys.readouterr().err


def test_libparted_may_fail_without_harm(
    raspberry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "false")

    assert "  not looked at: libparted fails on it: " in "\n".join(inspected(raspberry, capsys))


@pytest.mark.boot
def test_random_damage_is_shown_or_refused_without_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = disk(tmp_path, "label: sun\nsize=8192\nsize=8192")
    good = path.read_bytes()[:4096]

    for at in range(0, 512, 16):
        with path.open("r+b") as file:
            file.write(
                good[:at] + bytes(255 - each for each in good[at : at + 16]) + good[at + 16 :]
            )
        assert main(["inspect", str(path)]) in (0, 2)
        assert "raceback" not in capsys.readouterr().err
