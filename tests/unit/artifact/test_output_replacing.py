# SPDX-License-Identifier: Apache-2.0
"""A file is replaced as a whole or not at all, whatever interrupts it."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ota_artifact.output import copy, put, replacing, spill


def _write(path: Path, *, then: BaseException) -> None:
    with replacing(path) as file:
        put(file, b"new")
        raise then


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
def test_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with pytest.raises(error):
        _write(path, then=error("x"))

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_error_leaves_no_file_where_there_was_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"):
        _write(tmp_path / "file", then=ValueError("x"))

    assert list(tmp_path.iterdir()) == []


def test_old_file_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with replacing(path) as file:
        put(file, b"new")
        meanwhile = path.read_bytes()

    assert meanwhile == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import sys, time
from pathlib import Path
from ota_artifact.output import put, replacing
with replacing(Path(sys.argv[1])) as file:
    put(file, b"new")
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_kill_leaves_the_old_file(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with subprocess.Popen(  # noqa: S603
        (sys.executable, "-c", KILLED, path), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"written\n"

        process.send_signal(number)

        assert process.wait(timeout=20) == -number
    assert path.read_bytes() == b"old"


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("folder/target")

    with replacing(link) as file:
        put(file, b"new")

    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_link_that_leads_nowhere_makes_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")

    with replacing(link) as file:
        put(file, b"new")

    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_mode_of_the_old_file_stays(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)

    with replacing(path) as file:
        put(file, b"new")

    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_new_file_has_the_mode_that_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with replacing(tmp_path / "file") as file:
            put(file, b"new")
    finally:
        after = os.umask(before)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert after == umask


def test_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="name a file"), replacing(tmp_path):
        pass


def test_missing_folder_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"

    with pytest.raises(FileNotFoundError) as raised, replacing(path):
        pass

    assert raised.value.filename == str(path)


def test_device_is_written_directly() -> None:
    with replacing(Path("/dev/null")) as file:
        put(file, b"new")

    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_full_device_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"), replacing(Path("/dev/full")) as file:
        put(file, b"new")


def test_pipe_is_written_directly(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
    reader.start()

    with replacing(path) as file:
        put(file, b"x" * 200_000)
    reader.join(timeout=10)

    assert received == [b"x" * 200_000]


def test_file_with_the_longest_name_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)

    with replacing(path) as file:
        put(file, b"new")

    assert path.read_bytes() == b"new"


def test_temporary_file_has_no_name(tmp_path: Path) -> None:
    with spill(tmp_path) as file:
        put(file, b"x")
        names = list(tmp_path.iterdir())

    assert names == []


def test_copy_to_a_file_and_to_a_pipe_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"-" + b"content" * 1000)
    reading, writing = os.pipe()
    with (tmp_path / "from").open("rb", buffering=0) as source:
        for destination in (
            (tmp_path / "to").open("wb", buffering=0),
            os.fdopen(writing, "wb", buffering=0),
        ):
            with destination:
                source.seek(1)
                copy(source, destination, 7000)

    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == (tmp_path / "to").read_bytes() == b"content" * 1000


def test_copy_of_more_than_there_is_fails(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"short")

    with (
        (tmp_path / "from").open("rb", buffering=0) as source,
        (tmp_path / "to").open("wb", buffering=0) as destination,
        pytest.raises(EOFError, match="ends 5 B early"),
    ):
        copy(source, destination, 10)
