# SPDX-License-Identifier: Apache-2.0
"""What the ext4 tests ask of an image, without the code under test."""

import re
from pathlib import Path

from ota_artifact.image.ext4 import ExtFilesystem
from tests.unit.artifact.image.conftest import Tool


def text_of(filesystem: ExtFilesystem, path: str, folder: Path) -> str:
    filesystem.read_file(path, folder / "read")
    return (folder / "read").read_text()


def field(tool: Tool, image: Path, path: str, name: str) -> str:
    found = re.search(rf"{name}: +(\S+)", tool("debugfs", "-R", f"stat {path}", image))
    assert found, name
    return found[1]


def require_sound(tool: Tool, image: Path) -> None:
    tool("e2fsck", "-fn", image)
