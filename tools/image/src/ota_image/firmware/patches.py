# SPDX-License-Identifier: Apache-2.0
"""The patches that a board has for U-Boot: for what older versions lack."""

import re
from collections.abc import Sequence
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_image.errors import ImageError

FOLDER = "u-boot"
"""In a board's folder; has ``*.patch``."""

_TIME = 60.0  # [s] for one patch
_NEW_FILE = re.compile(rb"^--- /dev/null\n\+\+\+ b/([^\t\n]+)", re.MULTILINE)


def patches_of(board_folder: Path) -> tuple[Path, ...]:
    """The patches of a board, in the order in which they apply."""
    return tuple(sorted((board_folder / FOLDER).glob("*.patch")))


def apply_patches(patches: Sequence[Path], tree: Path, version: str) -> None:
    """Apply patches to a tree, except those that it does not need.

    A tree does not need a patch that it has already, or one that adds a file that it has: a newer
    version has its own.

    Raises:
        ImageError: a patch does not fit the tree.
        ProgramError: ``patch`` is missing.
    """
    for patch in patches:
        data = patch.read_bytes()
        added = [tree / name.decode("utf-8", "replace") for name in _NEW_FILE.findall(data)]
        if any(path.exists() for path in added) or _fits(data, tree, "--reverse"):
            continue
        if not _fits(data, tree):
            raise ImageError(
                f"{patch}: does not apply to U-Boot {version}, which does not have it already;"
                " adapt it to that version, or delete it if the board does not need it"
            )
        _patch(data, tree)


def _fits(data: bytes, tree: Path, *options: str) -> bool:
    try:
        _patch(data, tree, "--dry-run", *options)
    except ProgramError:
        return False
    return True


def _patch(data: bytes, tree: Path, *options: str) -> None:
    # --force: take the direction as given. Lines may have moved, and must not differ.
    argv = ("patch", "--strip=1", "--force", "--fuzz=0", "--reject-file=-")
    run((*argv, f"--directory={tree}", *options), stdin=data, timeout=_TIME)
