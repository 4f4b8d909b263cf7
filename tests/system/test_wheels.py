# SPDX-License-Identifier: Apache-2.0
"""Wheels alone are enough: a user who installs them needs no clone."""

import json
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_program

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(1200),  # [s] the first one waits for U-Boot and packages
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
]


def build(command: Path, folder: Path) -> dict[str, bytes]:
    """What a command builds in a folder, with the PATH of an ordinary user: its files by name."""
    folder.mkdir()
    words = ("env", "-C", folder, "PATH=/usr/bin:/bin", command, "build", "qemu-arm64", "--json")
    name = json.loads(run(words, timeout=1100))["name"]
    made = {path.name: path.read_bytes() for path in (folder / "build/qemu-arm64").iterdir()}
    assert f"{name.replace('minimal-', 'minimal-qemu-arm64-')}.sdimg" in made
    return made


def test_wheels_alone_make_the_same_files_as_the_tree(installed: Path, tmp_path: Path) -> None:
    ours = build(Path(sys.executable).with_name("ota-image"), tmp_path / "tree")

    theirs = build(installed / "ota-image", tmp_path / "wheels")

    assert theirs == ours


def test_wheels_have_the_boards_and_say_their_version(installed: Path, tmp_path: Path) -> None:
    said = run(("env", "-C", tmp_path, installed / "ota-board", "layout", "qemu-arm64"), timeout=60)

    assert b"data" in said
    for command in installed.glob("ota-*"):
        assert run((command, "--version"), timeout=60).startswith(command.name.encode())
