# SPDX-License-Identifier: Apache-2.0
"""What U-Boot takes from the firmware that starts it."""

from collections.abc import Iterable

from ota_board.board import Board
from ota_image.errors import ImageError
from ota_image.firmware.packages import U_BOOT

_NEEDS = "CONFIG_OF_BOARD=y"  # Source: U-Boot, doc/develop/devicetree/control.rst


def check_device_tree(board: Board, config: str, files: Iterable[str]) -> None:
    """Check that U-Boot gets its device tree, if it expects one from a vendor's firmware.

    QEMU makes one and SPL has one; other firmware reads it from the boot partition. U-Boot's
    defconfig of Raspberry Pi 3 had one of its own in 2023.01, and expects the firmware's later.

    Args:
        config: U-Boot's final ``.config``.
        files: on the boot partition, by path.

    Raises:
        ImageError: there is none; such a U-Boot stops before its first line.
    """
    vendors = sorted(
        each.source for each in board.firmware if each.path and not _is_ours(each.source)
    )
    has_tree = any(path.endswith(".dtb") for path in files)
    if _NEEDS in config.splitlines() and vendors and not has_tree:
        raise ImageError(
            f"{board.name}: this U-Boot has no device tree ({_NEEDS}) and expects one from"
            f" {', '.join(vendors)}, which would read it from the boot partition, but that has"
            " no .dtb; add the file that the firmware asks for to the board's folder boot/, or take"
            " another U-Boot"
        )


def _is_ours(source: str) -> bool:
    return source.startswith(f"{U_BOOT}/")
