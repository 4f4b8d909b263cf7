# SPDX-License-Identifier: Apache-2.0
"""Hazards of a slot on its hardware, each shown by an image whose slot was changed so."""

import gzip
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from ota_artifact.memory import needs_in
from ota_board.board import Board
from ota_image.cli.main import main
from ota_image.doctor.examine import diagnose
from tests.conftest import requires_program
from tests.unit.image.disk.small import small_board
from tests.unit.image.doctor.good import VERSION, files, image, initrd, modules_dep
from tests.unit.image.hardware.boards import ALIASES, MODULES, SOURCE, compiled, image_of
from tests.unit.image.hardware.hostile import END, begin, below_root, value

pytestmark = [
    pytest.mark.boot,
    requires_program("dtc", package="device-tree-compiler"),
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
TREE, ENTRY = "boot/dtbs/am335x-boneblack.dtb", "boot/extlinux/extlinux.conf"
NAMELESS = SOURCE.replace('compatible = "acme,board", "acme,soc";', "")
NO_SCREEN = "".join(f"{line}\n" for line in ALIASES.splitlines() if "screen" not in line).encode()
LISTS = f"lib/modules/{VERSION}"


def slot(
    board: Board, arguments: str = "console=ttyO2,115200", modules: frozenset[str] = MODULES
) -> dict[str, bytes]:
    """What a slot with the small board's device tree has: an image lists only its own aliases."""
    lines = (line for line in ALIASES.splitlines() if line.split()[-1].replace("-", "_") in modules)
    return {
        TREE: compiled(SOURCE),
        ENTRY: files(board)[ENTRY].replace(b"append ", f"append {arguments} ".encode()),
        "boot/vmlinuz": gzip.compress(image_of(), mtime=0),
        "boot/initrd.img": initrd((*board.kernel.drivers, "acme_mmc")),
        f"{LISTS}/modules.alias": "".join(f"{line}\n" for line in lines).encode(),
        f"{LISTS}/modules.dep": modules_dep(*sorted(modules), "omap_wdt"),
        f"{LISTS}/modules.builtin": b"kernel/drivers/tty/serial/omap-serial.ko\n",
    }


@pytest.mark.parametrize("is_told", [True, False], ids=["with --board", "alone"])
def test_a_console_of_another_kernel_and_a_network_without_drivers(
    tmp_path: Path, is_told: bool
) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board, slot(board, "console=ttyS2", MODULES - {"acme_phy"}))

    found = diagnose(path, board if is_told else None)

    assert [each.hazard for each in found.findings] == [
        "network-without-driver",
        "console-without-port",
    ]
    assert found.findings[0].place == "slot A: /boot/dtbs/am335x-boneblack.dtb: /bus/phy@4000"
    assert "1 node has no driver in the slot" in found.notes[0]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({f"{LISTS}/modules.alias": NO_SCREEN}, "1 node has no driver in the slot"),
        ({"boot/vmlinuz": b"packed somehow"}, "kernel 6.1.0-1: cannot be unpacked"),
        ({"boot/initrd.img": b"packed somehow"}, "the initrd cannot be read"),
        ({f"{LISTS}/modules.alias": None}, f"/lib/modules/{VERSION} has no modules.alias"),
        (
            {"boot/vmlinuz": b"packed somehow", "lib/modules/6.2/modules.dep": b""},
            "it has modules of 2 kernels: 6.1.0-1, 6.2, and it is not known which one starts",
        ),
        ({f"{LISTS}/modules.{name}": None for name in ("alias", "dep", "builtin")}, "/lib/modules"),
        ({TREE: compiled(NAMELESS)}, "its root node has no compatible"),
    ],
)
def test_what_could_not_be_judged_is_a_note_and_not_a_hazard(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: Mapping[str, bytes | None],
    note: str,
) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board, {**slot(board), **changes})

    code = main(["doctor", str(path), "--boards", str(tmp_path / "boards"), "--board", board.name])

    told = capsys.readouterr()
    assert code == 0, told.out
    assert "ota-image: not looked at: slot A: " in told.err
    assert note in told.err


def test_a_device_tree_that_is_cut_off(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board, {**slot(board), TREE: compiled(SOURCE)[:600]})

    [found] = diagnose(path, board).findings

    assert found.hazard == "device-tree-damaged"
    assert found.cause.startswith("is a device tree that is cut off at 600 of ")


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "is not a device tree"),
        (b"<html>404</html>", "is not a device tree"),
        (below_root(value(bytes(3 << 20))), "is a device tree of 31458"),
        (below_root(begin(b"a/b") + value(b"x\0") + END), "is a damaged device tree"),
    ],
    ids=range(4),
)
def test_what_is_in_place_of_a_device_tree_is_a_hazard_of_one_sentence(
    tmp_path: Path, data: bytes, cause: str
) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board, {**slot(board), TREE: data})

    found = diagnose(path, board).findings[0]

    assert found.hazard == "device-tree-damaged"
    assert found.cause.startswith(cause)


def test_a_kernel_with_all_drivers_built_in_needs_no_lists_of_modules(tmp_path: Path) -> None:
    """As in a Yocto image, whose kernel has no modules, or none that are installed."""
    board = small_board(tmp_path, "beaglebone-black")
    own = (line.split()[1].rpartition("C")[2] for line in ALIASES.splitlines() if "*T*C" in line)
    alone = {
        **slot(board),
        f"{LISTS}/modules.alias": None,
        f"{LISTS}/modules.dep": None,
        f"{LISTS}/modules.builtin": b"kernel/drivers/tty/serial/omap-serial.ko\n"
        + b"".join(b"kernel/%s.ko\n" % each.encode() for each in board.kernel.drivers),
        "boot/vmlinuz": gzip.compress(image_of(*own), mtime=0),
        "boot/initrd.img": None,
        ENTRY: slot(board)[ENTRY].replace(b"initrd /boot/initrd.img\n", b""),
    }
    alone |= {name: None for name in files(board) if name.startswith(LISTS) and name not in alone}

    found = diagnose(image(tmp_path, board, alone), board)

    assert [each.hazard for each in found.findings] == []
    assert found.notes == ()


@pytest.mark.parametrize(
    ("size", "hazard"),
    [(60, None), (84, "kernel-without-room"), (101, "load-addresses-overlap")],
)
def test_a_kernel_that_will_not_fit_where_u_boot_loads_it(
    tmp_path: Path, size: int, hazard: str | None
) -> None:
    board = small_board(tmp_path, "raspberrypi3")
    banner = b"Linux version 6.1.0-1 (nobody) "
    kernel = struct.pack("<QQQQ", 0, 0, size << 20, 0xA) + bytes(24) + b"ARM\x64" + banner
    path = image(tmp_path, board, {"boot/vmlinuz": gzip.compress(kernel, mtime=0)})

    found = diagnose(path, board).findings

    assert [each.hazard for each in found] == ([hazard] if hazard else [])


def test_a_u_boot_that_expects_the_firmwares_device_tree_and_gets_none(tmp_path: Path) -> None:
    trees = r"^  - \{from: u-boot/arch.*\n  - \{from: u-boot/arch.*\n"
    board = small_board(tmp_path, "raspberrypi3", {trees: ""})
    path = image(tmp_path, board, u_boot_tree=b"", boot={"/config.txt": b"kernel=u-boot.bin\n"})

    [found] = diagnose(path, board).findings

    assert found.hazard == "u-boot-without-device-tree"


def test_what_a_slot_calls_its_files_is_escaped_for_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(
        tmp_path,
        board,
        {
            ENTRY: slot(board)[ENTRY].replace(b"/boot/vmlinuz", b"/boot/\x1b[2Jvmlinuz"),
            "lib/modules/\x1b[31m/modules.dep": b"",
        },
    )

    assert main(["doctor", str(path)]) == 2

    told = capsys.readouterr()
    assert "\\x1b[2Jvmlinuz" in told.out
    assert "\x1b" not in told.out + told.err


def test_an_artifact_of_any_root_filesystem_can_say_how_much_memory_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    image(tmp_path, board, {**slot(board), "boot/initrd.img": bytes(65 << 20)})

    assert main(["needs", str(tmp_path / "rootfs.ext4")]) == 0

    needs = needs_in(capsys.readouterr().out.encode())
    assert needs is not None
    assert (needs.kernel, needs.device_tree, needs.initrd) == (
        len(gzip.compress(image_of(), mtime=0)),
        len(compiled(SOURCE)),
        65 << 20,
    )


@pytest.mark.parametrize(
    ("content", "text"), [(None, "no such file"), (b"squashfs", "is not an ext4")]
)
def test_a_file_without_a_root_filesystem_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, text: str
) -> None:
    path = tmp_path / "rootfs"
    if content:
        path.write_bytes(content)

    assert main(["needs", str(path)]) == 2

    assert f"{path}: {text}" in capsys.readouterr().err
