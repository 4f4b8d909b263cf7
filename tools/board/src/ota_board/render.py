# SPDX-License-Identifier: Apache-2.0
"""The files that follow from a board's description alone, as texts by name.

Every symbol of U-Boot is written in all the spellings it has had: a configuration knows one of
them, and drops the others. What remained is to be checked in the final ``.config``.

Source: U-Boot, release notes of v2025.10 (ENV_REDUNDANT, ENV_MMC_…) and v2026.01 (…_TEXT_FILE).
"""

from ota_board.board import Board
from ota_board.layout import node_base, to_json

SPELLINGS = {
    "REDUNDANT": ("ENV_REDUNDANT", "SYS_REDUNDAND_ENVIRONMENT"),
    "DEVICE": ("ENV_MMC_DEVICE_INDEX", "SYS_MMC_ENV_DEV"),
    "HW_PARTITION": ("ENV_MMC_EMMC_HW_PARTITION", "SYS_MMC_ENV_PART"),
}
"""U-Boot's symbols that were renamed: the new name, then the old one."""


def rendered(board: Board) -> dict[str, str]:
    """Every file by its name."""
    files = {"layout.json": to_json(board.layout), "fstab": fstab(board)}
    if board.environment.kind == "raw":
        files["fw_env.config"] = fw_env_config(board)
        files["u-boot-environment.cfg"] = u_boot_environment(board)
    return files


def fw_env_config(board: Board) -> str:
    """Where libubootenv finds the copies: device, offset, size. Source: fw_env.config(5)."""
    return "".join(
        f"{board.storage.device} {area.offset:#x} {area.size:#x}\n"
        for area in board.layout.environment
    )


def u_boot_environment(board: Board) -> str:
    """The Kconfig fragment that makes U-Boot keep its environment in the same place."""
    first, second = board.layout.environment
    values = {
        "ENV_IS_IN_MMC": "y",
        **dict.fromkeys(SPELLINGS["REDUNDANT"], "y"),
        **dict.fromkeys(SPELLINGS["DEVICE"], str(_mmc_index(board))),
        **dict.fromkeys(SPELLINGS["HW_PARTITION"], "0"),
        "ENV_OFFSET": f"{first.offset:#x}",
        "ENV_OFFSET_REDUND": f"{second.offset:#x}",
        "ENV_SIZE": f"{first.size:#x}",
    }
    unset = ("ENV_IS_NOWHERE", "ENV_IS_IN_FAT", "ENV_IS_IN_FLASH", "ENV_IS_IN_EXT4")
    return "".join(
        (
            *(f"CONFIG_{name}={value}\n" for name, value in values.items()),
            *(f"# CONFIG_{name} is not set\n" for name in unset),
        )
    )


def fstab(board: Board) -> str:
    """The mounts of a slot: the boot partition, synchronous since FAT has no journal, and /data."""
    base, layout = node_base(board.storage.device), board.layout
    boot, data = layout.partition("boot"), layout.partition("data")
    lines = [
        f"{base}{boot.number} /boot/firmware vfat defaults,sync 0 2",
        f"{base}{data.number} /data ext4 defaults 0 2",
    ]
    return "\n".join(lines) + "\n"


def _mmc_index(board: Board) -> int:
    return int(board.storage.device.removeprefix("/dev/mmcblk"))
