# SPDX-License-Identifier: Apache-2.0
"""The command as a process: exit codes, and streams that are closed or full."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ota_artifact import __version__
from tests.unit.artifact.cli.conftest import Command
from tests.unit.artifact.cli.process import DEADLINE, ENTRY, ROOTFS, Process

# Exit codes.


def test_the_version_is_printed(command: Command) -> None:
    with pytest.raises(SystemExit) as caught:
        command("--version")

    assert caught.value.code == 0


@pytest.mark.parametrize("words", [(), ("write",)])
def test_a_command_alone_shows_its_help(command: Command, words: tuple[str, ...]) -> None:
    done = command.ok(*words)

    assert done.out.startswith("usage: ota-artifact")
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("read", "rootfs.mender"), 0),
        (("read",), 1),
        (("read", "rootfs.mender", "--bogus"), 1),
        (("write", "rootfs-image", "-v", "4", "-n", "x", "-c", "x", "-f", "x"), 2),
        (("bogus",), 3),
        (("write", "bogus"), 3),
        (("write", "bootstrap-artifact", "-n", "x", "-c", "x", "-o", "none/x"), 3),
        (("validate", "none"), 4),
        (("validate", "root.img"), 5),
        (("write", "module-image", "-T", "x", "-n", "x", "-c", "x", "--augment-file", "x"), 6),
        (("sign", "rootfs.mender", "--sign-command", "false"), 7),
    ],
)
def test_every_kind_of_end_has_mender_artifacts_code(
    command: Command, rootfs: Path, words: tuple[str, ...], code: int
) -> None:
    done = command(*words)

    assert done.code == code
    assert bool(done.err) == bool(code)
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(errno.ENOSPC, "No space left", "/x"), 7, "/x: No space left; make room there"),
        (OSError(errno.EDQUOT, "Quota exceeded", "/x"), 7, "/x: Quota exceeded; make room"),
        (
            PermissionError(errno.EACCES, "Denied", "/x"),
            7,
            "/x: Denied; run as a user with permission",
        ),
        (FileNotFoundError(errno.ENOENT, "None such", "/x"), 1, "/x: None such"),
        (OSError(errno.EIO, "Input/output error"), 7, "Input/output error"),
    ],
)
def test_an_error_of_the_system_says_the_place_and_what_to_do(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    code: int,
    said: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("ota_artifact.cli.read._run", fail)

    done = command("read", "x")

    assert (done.code, said in done.err) == (code, True), done.err


def test_the_installed_script_and_the_module_are_the_same(tmp_path: Path) -> None:
    code, out, _ = Process(tmp_path, "--version").wait()

    assert (code, out) == (0, f"ota-artifact version {__version__}\n")


# Streams that are closed or full.


def test_a_reader_that_has_enough_is_not_an_error(module: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = Process(tmp_path, "read", module, stdout=writing)
    os.close(writing)

    assert process.wait() == (141, "", "")


def test_a_reader_that_stops_after_the_first_line_gets_it(module: Path, tmp_path: Path) -> None:
    process = Process(tmp_path, "read", module)
    assert process.process.stdout

    line = process.process.stdout.readline()
    code, _, err = process.wait()

    assert line == b"Mender Artifact:\n"
    assert (code, err) == (0, "")


@pytest.mark.parametrize(
    "words",
    [("read", "M"), ("dump", "M", "--print-cmdline")],
)
def test_a_full_stdout_is_an_error(module: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        process = Process(
            tmp_path,
            *(str(module) if word == "M" else word for word in words),
            stdout=full.fileno(),
        )
        ended = process.wait()

    assert (ended[0], ended[2].startswith("ota-artifact: stdout: No space left")) == (7, True)
    assert len(ended[2].splitlines()) == 1


def test_an_artifact_does_not_fit_into_a_full_stdout(image: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = Process(tmp_path, *ROOTFS, image, "-o", "-", stdout=full.fileno()).wait()

    assert ended[0] == 7
    assert "stdout or $TMPDIR: No space left on device; make room there" in ended[2]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_not_a_crash(image: Path, tmp_path: Path, closed: str) -> None:
    script = f'exec "$@" {closed}'
    words = (sys.executable, "-c", ENTRY, *ROOTFS, str(image))

    done = subprocess.run(  # noqa: S603
        ("/bin/sh", "-c", script, "sh", *words),
        cwd=tmp_path,
        capture_output=True,
        timeout=DEADLINE,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (tmp_path / "out.mender").stat().st_size > 1000
