# SPDX-License-Identifier: Apache-2.0
"""Small boards, made of the real ones, and root filesystems to put onto them."""

import re
from collections.abc import Mapping
from pathlib import Path

from ota_artifact.image.workplace import find_program
from ota_artifact.layout import Layout
from ota_artifact.run import run
from ota_board.board import Board
from ota_board.load import board_folders, find_board, load_board
from ota_board.u_boot import default_environment, factory_environment
from ota_image.disk.compose import Parts, compose
from ota_image.rootfs.mkfs import FEATURES

MIB = 1 << 20
SLOT = 8 * MIB
"""Size of a small slot [B]."""

OLD = b"\xa5"
"""What is on a card before it is written."""

_SIZES = {
    r"^  size: \d+ MiB": "  size: 64 MiB",
    r"boot: \{size: \d+ MiB\}": "boot: {size: 4 MiB}",
    r"slots: \{size: \d+ MiB\}": "slots: {size: 8 MiB}",
    r"data: \{size: \d+ MiB\}": "data: {size: 8 MiB}",
}


def small_board_folder(folder: Path, name: str, changes: Mapping[str, str] | None = None) -> Path:
    """The folder of a board that is like a real one, on a disk of 64 MiB.

    Args:
        changes: of its board.yaml further: pattern, then replacement.
    """
    source = find_board(name, list(board_folders()))
    target = folder / "boards" / name
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.suffix in (".env", ".cfg"):
            (target / file.name).write_bytes(file.read_bytes())
    text = (source / "board.yaml").read_text("utf-8")
    for pattern, replacement in {**_SIZES, **(changes or {})}.items():
        text, count = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
        assert count, f"{name}: no {pattern}"
    (target / "board.yaml").write_text(text, "utf-8")
    return target


def small_board(folder: Path, name: str, changes: Mapping[str, str] | None = None) -> Board:
    """The same, loaded."""
    return load_board(small_board_folder(folder, name, changes))


def variables(board: Board) -> dict[str, str]:
    """What the environment of a board holds from the factory on."""
    if board.environment.kind != "raw":
        return {}
    folder = find_board(board.name, list(board_folders()))
    return factory_environment(default_environment(board, folder))


def tree(folder: Path, files: Mapping[str, bytes] | None = None) -> Path:
    """A folder with a few files of a root filesystem."""
    content = {
        "etc/os-release": b'PRETTY_NAME="Test 1"\n',
        "etc/mender/artifact_info": b"artifact_name=minimal-1\n",
        **(files or {}),
    }
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o644)  # whatever the umask
    return folder


def ext4(path: Path, source: Path | None = None, *, size: int = SLOT, features: str = "") -> Path:
    """An ext4, such as a builder gives; its features do not depend on the machine's defaults."""
    given = ",".join(("none", *FEATURES, *((features,) if features else ())))
    run(
        (
            find_program("mke2fs", package="e2fsprogs"),
            *("-q", "-F", "-t", "ext4", "-b", "4096", "-O", given),
            *(("-d", str(source)) if source else ()),
            *(str(path), f"{size // 1024}k"),
        ),
        timeout=60,
    )
    return path


def quiet(_text: str) -> None:
    """Hears what is being done, and says nothing."""


def composed(folder: Path, layout: Layout, parts: Parts) -> Path:
    """The image of these."""
    output = folder / "test.sdimg"
    compose(layout, parts, output, progress=quiet)
    return output
