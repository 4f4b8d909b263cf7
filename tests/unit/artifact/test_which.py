# SPDX-License-Identifier: Apache-2.0
"""Programs that are not there, and the packages that have them."""

import os
import shutil
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run, run_attached, stream
from ota_artifact.which import PACKAGES, missing
from ota_board.load import all_boards, board_folders, load_board
from tests.conftest import requires_program


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = "qemu-system-x86_64: not found; install the package qemu-system-x86"

    with pytest.raises(ProgramError, match=said):
        run(("qemu-system-x86_64",), timeout=1)
    with pytest.raises(ProgramError, match=said):
        stream(("qemu-system-x86_64",), silence=1, sink=lambda data: None)
    with pytest.raises(ProgramError, match=said):
        run_attached(("qemu-system-x86_64",))


def test_a_program_is_known_by_its_path_and_another_one_is_not_guessed() -> None:
    assert missing("/usr/lib/apt/apt-helper").endswith("; install the package apt")
    assert missing("x-sign").endswith("; install the package that has it")


def test_the_qemu_of_every_board_has_its_package() -> None:
    boards = [load_board(path) for path in all_boards(list(board_folders(None)))]

    systems = {f"qemu-system-{board.qemu.system}" for board in boards if board.qemu}
    assert systems
    assert systems <= set(PACKAGES)


@requires_program("dpkg", package="dpkg")
def test_each_package_has_its_programs() -> None:
    places = {name: shutil.which(name) for name in PACKAGES}
    paths = {name: Path(place) for name, place in places.items() if place and os.sep in place}
    candidates = [f"{folder}/{name}" for name in paths for folder in ("/usr/bin", "/bin")]

    found = run(("dpkg", "-S", *candidates), timeout=60, success=(0, 1)).decode().splitlines()

    owners = {line.rpartition("/")[2]: line.partition(":")[0] for line in found}
    assert owners
    assert owners.items() <= PACKAGES.items()
