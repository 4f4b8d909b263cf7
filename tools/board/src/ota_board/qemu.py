# SPDX-License-Identifier: Apache-2.0
"""How to start a board in QEMU."""

from pathlib import Path

from ota_board.board import Board, Qemu
from ota_board.errors import BoardError


def arguments(
    board: Board, disk: Path, firmware: Path, *, ssh_port: int | None = None
) -> list[str]:
    """The command line of the machine that stands for a board, with the console on stdio.

    Args:
        disk: the image, which the machine writes to.
        firmware: what the machine starts: ``u-boot.bin`` in the folder of its build, or the code
            of UEFI with a file of empty variables next to it. Changes of those variables are lost
            when the machine ends.
        ssh_port: of this host, forwarded to port 22 of the board; None for no way in.

    Raises:
        BoardError: QEMU has no machine for the board.
    """
    qemu = machine_of(board)
    forward = f",hostfwd=tcp:127.0.0.1:{ssh_port}-:22" if ssh_port is not None else ""
    words = [
        f"qemu-system-{qemu.system}",
        *("-machine", qemu.machine, "-cpu", qemu.cpu, "-m", f"{qemu.memory >> 20}"),
        *("-nographic", "-netdev", f"user,id=net{forward}"),
    ]
    match qemu.disk:
        case "sdhci":
            words += [
                "-bios",
                str(firmware),
                "-drive",
                f"if=none,id=disk,format=raw,file={value_of(disk)}",
            ]
            words += ["-device", "sdhci-pci", "-device", "sd-card,drive=disk"]
        case "sd":
            words += ["-kernel", str(firmware), "-drive", f"if=sd,format=raw,file={value_of(disk)}"]
            words += ["-serial", "null"]  # the console is the second port
            words += _passed_tree(board, firmware)
        case "virtio":
            words += [
                *_flash(board, firmware),
                "-drive",
                f"if=virtio,format=raw,file={value_of(disk)}",
            ]
    # Without the ROM for booting from the network, which is in a package of its own.
    device = "usb-net" if qemu.network == "usb" else "virtio-net-pci,romfile="
    words += ["-device", f"{device},netdev=net"]
    if board.watchdog.driver == "i6300esb":
        words += ["-device", "i6300esb", "-action", "watchdog=reset"]
    return words


def machine_of(board: Board) -> Qemu:
    """The machine that stands for a board.

    Raises:
        BoardError: QEMU has none.
    """
    if board.qemu is None:
        raise BoardError(f"{board.name}: QEMU has no such machine; its README names a substitute")
    return board.qemu


def _passed_tree(board: Board, firmware: Path) -> list[str]:
    """Has QEMU pass a device tree to U-Boot, as a vendor's firmware does."""
    folder = "u-boot/"
    for each in board.firmware:
        if each.source.startswith(folder) and each.source.endswith(".dtb"):
            return ["-dtb", str(firmware.parent / each.source.removeprefix(folder))]
    return []


def value_of(path: Path) -> str:
    """A path as the value of an option: a comma would end it, a colon would begin a protocol.

    ``-bios`` and ``-kernel`` take their word as it is. Source: QEMU, util/qemu-option.c, block.c.
    """
    name = f"./{path}" if ":" in str(path).partition("/")[0] else str(path)
    return name.replace(",", ",,")


def _flash(board: Board, firmware: Path) -> list[str]:
    """U-Boot as one file; UEFI as two chips, or its variables would be on the boot partition."""
    if board.bootloader.kind == "u-boot":
        return ["-bios", str(firmware)]
    variables = firmware.with_name(firmware.name.replace("CODE", "VARS"))
    chip = "if=pflash,format=raw"
    code = ["-drive", f"{chip},unit=0,readonly=on,file={value_of(firmware)}"]
    return [*code, "-drive", f"{chip},unit=1,snapshot=on,file={value_of(variables)}"]
