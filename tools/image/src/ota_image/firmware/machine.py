# SPDX-License-Identifier: Apache-2.0
"""What QEMU starts for a board: its U-Boot, or the UEFI that starts GRUB from the disk."""

from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_board.board import Board
from ota_image.firmware.u_boot import u_boot_of
from ota_image.packages.recipe import Recipe
from ota_image.packages.sources import ANY_SOURCE, Source
from ota_image.progress import Say

_UEFI = (
    Path("/usr/share/OVMF/OVMF_CODE_4M.fd"),  # Source: Debian, package ovmf
    Path("/usr/share/OVMF/OVMF_CODE.fd"),
)


def machine_firmware(
    board: Board,
    board_folder: Path,
    *,
    u_boot_tree: Path | None = None,
    recipe: Recipe | None = None,
    source: Source = ANY_SOURCE,
    say: Say,
) -> Path:
    """The file that `ota_board.qemu.arguments` takes as firmware.

    Args:
        u_boot_tree: a source tree of U-Boot; by default Debian's source package.
        recipe: of the image; by default that of the image that is built by default.

    Raises:
        ImageError: the tree is not U-Boot's or drops a part of its configuration, or the board has
            no U-Boot.
        ProgramError: U-Boot cannot be downloaded or compiled, or UEFI is not installed.
    """
    if board.bootloader.kind == "u-boot" or u_boot_tree:
        built = u_boot_of(board, board_folder, u_boot_tree, say, recipe=recipe, source=source)
        return built.folder / "u-boot.bin"
    for path in _UEFI:
        if path.is_file() and path.with_name(path.name.replace("CODE", "VARS")).is_file():
            return path
    raise ProgramError(f"{_UEFI[0]}: {board.name} needs UEFI; apt-get install ovmf")
