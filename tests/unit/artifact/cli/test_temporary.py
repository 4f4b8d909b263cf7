# SPDX-License-Identifier: Apache-2.0
"""The one folder for all temporary files."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from ota_artifact.cli.temporary import temporary_folder
from tests.unit.artifact.cli.conftest import Command


@pytest.fixture
def idle() -> Iterator[Event]:
    """What a thread can wait for until the test is over."""
    event = Event()
    yield event
    event.set()


def test_temporary_files_go_into_one_folder_which_goes_away(tmp_path: Path) -> None:
    before = tempfile.gettempdir()

    with temporary_folder(str(tmp_path)):
        (place,) = tmp_path.iterdir()
        made = Path(tempfile.mkdtemp())
        mode = place.stat().st_mode & 0o777

    assert (made.parent, mode) == (place, 0o700)
    assert list(tmp_path.iterdir()) == []
    assert tempfile.gettempdir() == before


@pytest.mark.parametrize("has_thread", [False, True])
def test_a_signal_waits_until_the_folder_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: Event, has_thread: bool
) -> None:
    """The kernel gives a signal that the main thread blocks to any other thread."""
    removed: list[str] = []
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    if has_thread:
        Thread(target=idle.wait).start()

    def remove(path: Path, *, ignore_errors: bool) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)  # for the other thread to take it
        removed.append(path.name)

    monkeypatch.setattr(shutil, "rmtree", remove)

    with pytest.raises(KeyboardInterrupt), temporary_folder(str(tmp_path)):
        pass

    assert len(removed) == 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_an_error_while_the_folder_is_removed_leaves_no_signal_blocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(path: Path, *, ignore_errors: bool) -> None:
        raise MemoryError

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(shutil, "rmtree", remove)

    with pytest.raises(MemoryError), temporary_folder(str(tmp_path)):
        pass

    assert (
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        signal.getsignal(signal.SIGTERM),
    ) == before


def test_a_thread_has_a_temporary_folder_too(tmp_path: Path) -> None:
    made: list[Path] = []

    def work() -> None:
        with temporary_folder(str(tmp_path)):
            made.extend(tmp_path.iterdir())

    thread = Thread(target=work)
    thread.start()
    thread.join()

    assert len(made) == 1
    assert list(tmp_path.iterdir()) == []


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
