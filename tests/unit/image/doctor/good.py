# SPDX-License-Identifier: Apache-2.0
"""Root filesystems and images with nothing wrong, to be broken by the tests."""

import gzip
from collections.abc import Mapping
from pathlib import Path

from ota_board import grub
from ota_board.board import Board
from ota_board.render import rendered
from ota_image.disk.boot import Content
from ota_image.disk.compose import Parts, Raw
from tests.unit.image.disk.small import composed, ext4, tree, variables
from tests.unit.image.hardware.boards import compiled

VERSION = "6.1.0-1"
EMPTY = '/dts-v1/; / { compatible = "acme,board"; };'
"""A device tree of a board without devices."""

U_BOOT = b"\0".join(
    (
        b"",
        b"U-Boot 2023.01+dfsg-2 (Jan 01 1970 - 00:00:00)",
        b"Loading Environment from %s... ",
        b"reading environment; recovered successfully\n",
        b"WDT:   Failed to start %s",
        b"bcm2835_wdt",
        b"sysboot",
        b"saveenv",
        b"",
    )
)


def cpio(names: tuple[str, ...]) -> bytes:
    """An archive of files with nothing much in them. Source: Linux, buffer-format.rst."""
    records = b""
    for name in (*names, "TRAILER!!!"):
        content = b"" if name == "TRAILER!!!" else b"ELF"
        fields = (1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        record = b"070701" + b"".join(b"%08X" % each for each in fields) + name.encode() + b"\0"
        record += bytes(-len(record) % 4) + content
        records += record + bytes(-len(record) % 4)
    return records


def initrd(drivers: tuple[str, ...]) -> bytes:
    """A compressed initrd with these modules."""
    names = tuple(f"modules/{each.replace('-', '_')}.ko" for each in drivers)
    return gzip.compress(cpio(("init", *names)))


def u_boot(board: Board, own_tree: bytes | None = None) -> bytes:
    """What is of interest in a U-Boot with the board's environment compiled in."""
    own_tree = compiled(EMPTY) if own_tree is None else own_tree
    saved = (f"{name}={value}".encode() for name, value in variables(board).items())
    return U_BOOT + own_tree + b"\0" * 16 + b"\0".join((*saved, b"", b"")) + b"\1\2\3"


def modules_dep(*drivers: str) -> bytes:
    """A list of modules, those that a vfat needs among them."""
    paths = ["kernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko", "kernel/fs/nls/nls_cp437.ko:"]
    return "".join(f"{path}\n" for path in (*paths, *(f"kernel/{d}.ko:" for d in drivers))).encode()


def files(board: Board) -> dict[str, bytes]:
    """What a slot of the board must have."""
    found = {
        "boot/vmlinuz": gzip.compress(f"Linux version {VERSION} (nobody) ".encode(), mtime=0),
        "boot/initrd.img": initrd(board.kernel.drivers),
        f"lib/modules/{VERSION}/modules.builtin": b"kernel/drivers/mmc/core/mmc_core.ko\n",
        f"lib/modules/{VERSION}/modules.dep": modules_dep(board.watchdog.driver),
    }
    for name, text in rendered(board).items():
        if name in ("fstab", "fw_env.config", "mender_grubenv.config"):
            found[f"etc/{name}"] = text.encode()
    if board.bootloader.kind == "u-boot":
        lines = ["label slot", "kernel /boot/vmlinuz", "initrd /boot/initrd.img"]
        if len(board.device_trees) == 1:
            lines.append(f"fdt /boot/dtbs/{board.device_trees[0]}")
        elif board.device_trees:
            lines.append("fdtdir /boot/dtbs")
        lines.append("append root=${mender_kernel_root} rootwait ro panic=10")
        found["boot/extlinux/extlinux.conf"] = ("\n".join(lines) + "\n").encode()
    else:
        found[grub.ENTRY[1:]] = grub.entry(board).encode()
    found |= {f"boot/dtbs/{name}": compiled(EMPTY) for name in board.device_trees}
    return found


def image(
    folder: Path,
    board: Board,
    changes: Mapping[str, bytes | None] | None = None,
    *,
    features: str = "",
    u_boot_tree: bytes | None = None,
    boot: Mapping[str, Content] | None = None,
) -> Path:
    """An image of the board.

    Args:
        changes: of the files in slot A; None: this one is not there.
        features: of slot A, for mke2fs.
        u_boot_tree: U-Boot's own device tree; None: a small one.
        boot: further files on the boot partition.
    """
    content = {**files(board), **(changes or {})}
    kept = {name: data for name, data in content.items() if data is not None}
    slot = tree(folder / "tree", kept)
    size = board.layout.partition("A").size
    rootfs = ext4(folder / "rootfs.ext4", slot, size=size, features=features)
    on_boot: dict[str, Content] = {
        each.path: u_boot(board, u_boot_tree) if each.source.startswith("u-boot/") else b"firmware"
        for each in board.firmware
        if each.path
    }
    if board.environment.kind == "grub":
        on_boot |= grub.boot_files(board)
    raw = []
    for number, each in enumerate(board.firmware):
        if each.offset is not None:
            path = folder / f"raw{number}"
            is_spl = each.source.endswith("MLO")
            path.write_bytes(b"\0U-Boot SPL 2023.01+dfsg-2 \0" if is_spl else u_boot(board))
            raw.append(Raw(each.offset, path))
    return composed(
        folder,
        board.layout,
        Parts(
            rootfs=rootfs,
            variables=variables(board),
            boot={**on_boot, **(boot or {})},
            raw=tuple(raw),
        ),
    )
