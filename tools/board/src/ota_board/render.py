# SPDX-License-Identifier: Apache-2.0
"""The files that follow from a board's description alone."""

import posixpath
from pathlib import Path

from ota_artifact.device_files import FW_ENV_CONFIG, GRUB_CONFIG
from ota_artifact.layout import LAYOUT_JSON, node_base, to_json
from ota_board import grub
from ota_board.board import Board
from ota_board.device import device_settings, shell_text
from ota_board.u_boot import ENVIRONMENT, default_environment, fragment


def rendered(board: Board, folder: Path | None = None) -> dict[str, str]:
    """The text of every file, by its name.

    Args:
        folder: of the board, which may add ``u-boot.cfg`` and ``u-boot.env``.

    Raises:
        OSError: a file of the board cannot be read.
    """
    files = {
        LAYOUT_JSON: to_json(board.layout),
        "fstab": fstab(board),
        "board": shell_text(device_settings(board)),
    }
    if board.environment.kind == "raw":
        files[posixpath.basename(FW_ENV_CONFIG)] = fw_env_config(board)
        files["u-boot.cfg"] = fragment(board, Path(ENVIRONMENT), folder)
        files[ENVIRONMENT] = default_environment(board, folder)
    else:
        files["grub.cfg"] = grub.configuration(board)
        files["ota.env"] = grub.entry(board)
        files[posixpath.basename(GRUB_CONFIG)] = grub.mender_config()
    return files


def fw_env_config(board: Board) -> str:
    """Where libubootenv finds the copies: device, offset, size. Source: fw_env.config(5)."""
    return "".join(
        f"{board.storage.device} {area.offset:#x} {area.size:#x}\n"
        for area in board.layout.environment
    )


def fstab(board: Board) -> str:
    """The mounts of a slot: /data, and the boot partition.

    The boot partition is read-only, so that little is written near the bootloader. To mount it
    writable is a write in itself, since FAT marks itself as dirty.
    """
    base, layout = node_base(board.storage.device), board.layout
    boot, data = layout.partition("boot"), layout.partition("data")
    lines = [
        f"{base}{boot.number} /boot/firmware vfat ro,noatime,sync 0 2",
        f"{base}{data.number} /data ext4 defaults 0 2",
    ]
    return "\n".join(lines) + "\n"
