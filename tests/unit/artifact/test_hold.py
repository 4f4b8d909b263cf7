# SPDX-License-Identifier: Apache-2.0
"""A file or folder that two processes want: one has it, the other refuses or waits."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ota_artifact.hold import hold
from tests.simulators.holding import HOLD, another_holds


@pytest.fixture(params=["file", "folder"])
def wanted(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "disk, é.sdimg"
    path.touch() if request.param == "file" else path.mkdir()
    return path


def hold_it(path: Path, *, is_shared: bool = False) -> None:
    with hold(path, remedy="wait for it", is_shared=is_shared):
        pass


def test_the_error_names_the_holder_and_the_remedy(wanted: Path) -> None:
    with another_holds(wanted) as process, pytest.raises(BlockingIOError) as caught:
        hold_it(wanted)

    assert caught.value.filename == str(wanted)
    said = str(caught.value.strerror)
    assert said.startswith((f"process {process.pid} (", "another process is"))
    assert said.endswith("is using it; wait for it")
    hold_it(wanted)


def test_readers_share_it_and_a_writer_does_not(wanted: Path) -> None:
    with another_holds(wanted, "shared"):
        hold_it(wanted, is_shared=True)

        with pytest.raises(BlockingIOError):
            hold_it(wanted)


def test_one_who_waits_says_so_once_and_has_it_next(wanted: Path) -> None:
    said: list[str] = []
    with another_holds(wanted) as process:

        def hear(text: str) -> None:
            said.append(text)
            assert process.stdin
            process.stdin.close()

        with hold(wanted, remedy="or take another", waiting=hear):
            assert process.wait(5) == 0

    assert len(said) == 1
    assert said[0].startswith(f"{wanted}: waiting for ")
    assert said[0].endswith("; or take another")


def test_a_killed_process_holds_nothing(wanted: Path) -> None:
    with another_holds(wanted) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(5)

        hold_it(wanted)


def test_what_replaced_it_while_we_waited_is_held(tmp_path: Path) -> None:
    path, new = tmp_path / "disk.sdimg", tmp_path / "new"
    path.touch()
    with another_holds(path) as process:

        def replace_it(_text: str) -> None:
            new.touch()
            new.replace(path)
            assert process.stdin
            process.stdin.close()

        with hold(path, remedy="", waiting=replace_it):
            words = (sys.executable, "-c", HOLD, str(path), "alone")
            done = subprocess.run(words, capture_output=True, check=False)  # noqa: S603

    assert b"BlockingIOError" in done.stderr


def test_a_file_that_may_only_be_read_can_be_held(tmp_path: Path) -> None:
    path = tmp_path / "disk.sdimg"
    path.touch(mode=0o444)

    with another_holds(path), pytest.raises(BlockingIOError):
        hold_it(path)


def test_what_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hold_it(tmp_path / "missing")
