# SPDX-License-Identifier: Apache-2.0
"""The one folder for all temporary files."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from ota_artifact.cli.temporary import temporary_folder
from tests.unit.artifact.cli.conftest import Command


def test_temporary_files_go_into_one_folder_which_goes_away(tmp_path: Path) -> None:
    before = tempfile.gettempdir()

    with temporary_folder(str(tmp_path)):
        (place,) = tmp_path.iterdir()
        made = Path(tempfile.mkdtemp())
        mode = place.stat().st_mode & 0o777

    assert (made.parent, mode) == (place, 0o700)
    assert list(tmp_path.iterdir()) == []
    assert tempfile.gettempdir() == before


def test_a_signal_waits_until_the_folder_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []

    def remove(path: Path, *, ignore_errors: bool) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        removed.append(path.name)

    monkeypatch.setattr(shutil, "rmtree", remove)

    with pytest.raises(KeyboardInterrupt), temporary_folder(str(tmp_path)):
        pass

    assert len(removed) == 1


def test_a_command_that_needs_no_temporary_file_works_without_a_place_for_them(
    command: Command, rootfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as here:
        here.setattr(tempfile, "tempdir", str(tmp_path / "none"))

        read = command("read", rootfs)
        changed = command("modify", rootfs, "-n", "v2")

    assert read.code == 0
    assert changed.code == 1
    assert f"{tmp_path}/none" in changed.err


@pytest.mark.parametrize(
    "words",
    [
        ("modify", "update.mender", "-n", "v2"),
        ("install", "-d", "update.mender:/opt"),
        ("install", "-m", "644", "source", "update.mender:/etc/new"),
    ],
)
def test_all_that_is_temporary_goes_where_the_user_says(
    command: Command,
    update: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    (tmp_path / "there").mkdir()
    with monkeypatch.context() as here:
        here.setattr(tempfile, "tempdir", str(tmp_path / "none"))

        command.ok(*words, "--tmp", "there")

    assert list((tmp_path / "there").iterdir()) == []


def test_a_place_that_the_user_names_must_be_there(command: Command, rootfs: Path) -> None:
    done = command("modify", rootfs, "-n", "v2", "--tmp", "none")

    assert done.code == 1
    assert "none/ota-artifact-" in done.err
