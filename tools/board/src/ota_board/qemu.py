# SPDX-License-Identifier: Apache-2.0
"""How a board is started in QEMU."""

from pathlib import Path

from ota_board.board import Board
from ota_board.errors import BoardError


def arguments(board: Board, disk: Path, u_boot: Path, *, ssh_port: int | None = None) -> list[str]:
    """The command line of the machine that stands for a board, console on its own stdio.

    Args:
        disk: the image, which is written to.
        u_boot: ``u-boot.bin``.
        ssh_port: of this host, leads to port 22 of the board; None: no way in.

    Raises:
        BoardError: QEMU has no machine for it, or none that we start yet.
    """
    qemu = board.qemu
    if qemu is None:
        raise BoardError(f"{board.name}: QEMU has no such machine; its README names a surrogate")
    if board.bootloader.kind != "u-boot":
        raise BoardError(f"{board.name}: starting it with {board.bootloader.kind} is not there yet")
    forward = f",hostfwd=tcp:127.0.0.1:{ssh_port}-:22" if ssh_port is not None else ""
    words = [
        f"qemu-system-{qemu.system}",
        *("-machine", qemu.machine, "-cpu", qemu.cpu, "-m", f"{qemu.memory >> 20}"),
        *("-nographic", "-netdev", f"user,id=net{forward}"),
    ]
    match qemu.disk:
        case "sdhci":
            words += ["-bios", str(u_boot), "-drive", f"if=none,id=disk,format=raw,file={disk}"]
            words += ["-device", "sdhci-pci", "-device", "sd-card,drive=disk"]
        case "sd":
            words += ["-kernel", str(u_boot), "-drive", f"if=sd,format=raw,file={disk}"]
            words += ["-serial", "null"]  # the console is the second one
        case "virtio":
            words += ["-bios", str(u_boot), "-drive", f"if=virtio,format=raw,file={disk}"]
    # Without a ROM for booting from the network, which is in a package of its own.
    device = "usb-net" if qemu.network == "usb" else "virtio-net-pci,romfile="
    words += ["-device", f"{device},netdev=net"]
    if board.watchdog.driver == "i6300esb":
        words += ["-device", "i6300esb", "-action", "watchdog=reset"]
    return words
