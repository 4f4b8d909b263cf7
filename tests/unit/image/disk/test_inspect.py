# SPDX-License-Identifier: Apache-2.0
"""What `inspect` shows of images, ours and others'."""

import json
import random
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_board.environment import encode
from ota_image.cli.main import main
from ota_image.disk.compose import Parts, Raw
from ota_image.disk.inspect import as_json, as_text, inspect
from ota_image.disk.slot import parse_extlinux
from ota_image.doctor.examine import examine
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.unit.image.disk.small import MIB, composed, ext4, small_board, tree, variables

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]

EXTLINUX = b"""\
default ota
label ota
    kernel /boot/vmlinuz-6.1
    initrd ../initrd.img-6.1
    fdtdir /boot/dtbs
    append root=${mender_kernel_root} ro rootwait
"""


def test_our_image_is_shown_with_slots_bootloader_and_environment(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    files = {"boot/extlinux/extlinux.conf": EXTLINUX, "boot/vmlinuz-6.1": b"kernel"}
    rootfs = ext4(tmp_path / "rootfs.ext4", tree(tmp_path / "tree", files))
    (tmp_path / "u-boot.img").write_bytes(b"\0U-Boot 2023.01+dfsg-2 (Jan 01 1970)\0" * 9)
    raw = (Raw(0x60000, tmp_path / "u-boot.img"),)
    image = composed(
        tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board), raw=raw)
    )

    said = as_text(inspect(image)).splitlines()

    assert said[0] == f"{image}: 64 MiB, MBR"
    assert [line.split() for line in said[2:4]] == [
        ["1", "boot", "0x1800000", "4", "MiB", "0c", "vfat"],
        ["2", "A", "0x1c00000", "8", "MiB", "83", "ext4"],
    ]
    assert "bootloader: U-Boot 2023.01+dfsg-2, at 0x60001" in said
    assert "slot A: minimal-1; Test 1; kernel vmlinuz-6.1; extlinux.conf" in said
    assert "slot B: empty" in said
    places = "environment: 2 of 0x20000 B: 0x400000, 0x800000"
    assert f"{places}; copy 1 is read, counters 1/0" in said
    assert "  mender_boot_part=2" in said


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = small_board(tmp_path, "qemu-x86-64")
    rootfs = ext4(tmp_path / "rootfs.ext4", tree(tmp_path / "tree"))
    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs))

    assert main(["inspect", "--json", str(image)]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["table"] == "gpt"
    assert [each["name"] for each in said["partitions"]] == ["boot", "A", "B", "data"]
    assert said["slots"][0]["artifact"] == "minimal-1"
    assert said["environment"] is None


def foreign(folder: Path, table: str, parts: list[Path | None]) -> Path:
    """An image by other means: partitions of 8 MiB from 8 MiB on."""
    image = folder / "foreign.img"
    image.touch()
    with image.open("r+b") as file:
        file.truncate(64 * MIB)
        for number, part in enumerate(parts, 1):
            file.seek(number * 8 * MIB)
            file.write(part.read_bytes() if part else b"")
    lines = [f"start={number * 16384}, size=16384" for number in range(1, len(parts) + 1)]
    script = "\n".join((f"label: {table}", *lines, ""))
    run(("sfdisk", "--quiet", image), timeout=10, stdin=script.encode())
    return image


def vfat(path: Path) -> Path:
    run(("mkfs.vfat", "-C", path, "8192"), timeout=10)
    return path


def test_an_image_like_raspberry_pi_os_is_shown(tmp_path: Path) -> None:
    root = ext4(tmp_path / "root", tree(tmp_path / "tree"), features="metadata_csum,64bit")
    image = foreign(tmp_path, "dos", [vfat(tmp_path / "boot"), root])

    report = inspect(image)

    assert [part.kind for part in report.disk.parts] == ["vfat", "ext4"]
    assert [(slot.part.name, slot.system) for slot in report.slots] == [("2", "Test 1")]
    assert report.state is None
    said = as_text(report).splitlines()
    assert said[0] == f"{image}: 64 MiB, MBR, not known which partition is which"
    assert said[1].startswith("  2 partitions can hold files, not four, and no layout.json")
    assert "partition 2: minimal-1; Test 1; no kernel in /boot; no boot entry" in said
    assert {each.hazard for each in examine(image)} == {
        "slot-without-kernel",
        "partitions-not-known",
    }


def test_an_image_like_debians_with_an_environment_is_shown(tmp_path: Path) -> None:
    image = foreign(tmp_path, "gpt", [None, ext4(tmp_path / "root", tree(tmp_path / "tree"))])
    with image.open("r+b") as file:
        file.seek(0x3F0000)
        file.write(encode({"bootcmd": "run distro_bootcmd"}, 0x4000, flag=None))

    report = inspect(image)

    assert report.state
    assert (report.state.offsets, report.state.source) == ((0x3F0000,), "scan")
    assert report.state.variables == {"bootcmd": "run distro_bootcmd"}
    assert json.dumps(as_json(report))
    assert {each.hazard for each in examine(image)} == {
        "redundancy-lost",
        "no-altbootcmd",
        "no-bootlimit",
        "partitions-not-known",
        "slot-without-kernel",
    }


def test_a_filesystem_without_a_table_is_shown(tmp_path: Path) -> None:
    image = ext4(tmp_path / "root.ext4", tree(tmp_path / "tree"))

    said = as_text(inspect(image))

    assert "one filesystem, no table" in said
    assert "\nfilesystem: minimal-1" in said


def test_an_artifact_is_politely_sent_on(capsys: pytest.CaptureFixture[str]) -> None:
    artifact = next((ROOT / "tests/golden/good").glob("*.mender"))

    assert main(["inspect", str(artifact)]) == 2

    assert "is a tar; `ota-artifact read` shows what is in an artifact" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"text\n", b"\x1f\x8b\x08" + bytes(5000), bytes(MIB)])
def test_a_file_that_is_not_a_disk_image_is_refused(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(content)

    assert main(["inspect", str(tmp_path / "file")]) == 2

    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.boot
def test_random_damage_is_shown_or_refused_without_a_crash(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    rootfs = ext4(tmp_path / "rootfs.ext4", tree(tmp_path / "tree"))
    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))
    good, chance = image.read_bytes(), random.Random(1)
    places = [0, 440, 24 * MIB, 24 * MIB + 512, 28 * MIB + 1024, 28 * MIB + 4096, 4 * MIB]

    for _ in range(20):
        with image.open("r+b") as file:
            place = chance.choice(places)
            file.seek(place)
            file.write(chance.randbytes(chance.randrange(1, 2048)))

        assert main(["inspect", str(image)]) in (0, 2)

        with image.open("r+b") as file:
            file.seek(place)
            file.write(good[place : place + 2048])


def test_extlinux_is_read_as_u_boot_reads_it() -> None:
    entry = parse_extlinux(EXTLINUX.decode() + "label second\n  LINUX /other\n")

    assert entry.kernel == "/boot/vmlinuz-6.1"
    assert entry.initrd == "/boot/initrd.img-6.1"
    assert entry.fdtdir == "/boot/dtbs"
    assert entry.append.startswith("root=${mender_kernel_root}")
    assert parse_extlinux("LINUX Image#conf-1").kernel == "/boot/extlinux/Image"
