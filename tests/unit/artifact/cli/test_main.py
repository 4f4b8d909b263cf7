# SPDX-License-Identifier: Apache-2.0
"""The command as a process: exit codes, interruption, full disks, closed pipes, progress."""

import errno
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from ota_artifact import __version__
from tests.unit.artifact.cli.conftest import ENTRY, Command, Keys, state_of

DEADLINE = 20.0  # [s] for anything that is waited for
NOBODY = 65534

ROOTFS = ("write", "rootfs-image", "-n", "v1", "-c", "board", "-o", "out.mender", "-f")
SLOW = ("--sign-command", "sleep 60")


class Process:
    """The command in a process of its own, in its folder, with temporary files in ``tmp``."""

    running: ClassVar[list["Process"]] = []

    def __init__(
        self,
        folder: Path,
        *arguments: str | Path,
        before: str = "",
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> None:
        (folder / "tmp").mkdir(exist_ok=True)
        self.process = subprocess.Popen(  # noqa: S603
            (sys.executable, "-c", f"{before}\n{ENTRY}", *map(str, arguments)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "TERM": "xterm"},
        )
        self.running.append(self)

    def ended(self) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, (out or b"").decode(), (err or b"").decode()


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    """End what a test that failed did not wait for."""
    yield
    while Process.running:
        process = Process.running.pop().process
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, f"waited {DEADLINE:g} s until {what}"
        time.sleep(0.01)


def is_sleeping(process: Process) -> bool:
    """Whether the program that signs has begun: it is a child of the command."""
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children")
    with suppress(OSError):  # a child, or the command, that has just ended
        names = [Path(f"/proc/{child}/comm") for child in children.read_text().split()]
        return "sleep\n" in [name.read_text() for name in names]
    return False


def limited(size: int) -> str:
    """Code that allows no file larger than ``size`` [B], so that writing fails in the middle."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Half a MiB that does not compress."""
    path = tmp_path / "noise.img"
    path.write_bytes(os.urandom(1 << 19))
    return path


# Exit codes.


def test_the_version_is_told(command: Command) -> None:
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
        (PermissionError(errno.EACCES, "Denied", "/x"), 7, "/x: Denied; ask for the permission"),
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
    code, out, _ = Process(tmp_path, "--version").ended()

    assert (code, out) == (0, f"ota-artifact version {__version__}\n")


# Interruption.


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "ota-artifact: interrupted; nothing is half written\n"),
        (signal.SIGTERM, 143, ""),
        (signal.SIGHUP, 129, ""),
    ],
)
def test_a_write_that_is_ended_leaves_nothing(
    image: Path, tmp_path: Path, number: signal.Signals, code: int, said: str
) -> None:
    process = Process(tmp_path, *ROOTFS, image, *SLOW)
    wait_until(lambda: is_sleeping(process), "it signs")
    began = [each.name for each in tmp_path.iterdir() if each.name.startswith(".out.mender")]

    process.process.send_signal(number)
    ended = process.ended()

    assert began, "no temporary file beside the output"
    assert ended == (code, "", said)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["root.img", "tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.boot
def test_a_write_that_is_interrupted_while_it_compresses_leaves_nothing(tmp_path: Path) -> None:
    block = os.urandom(1 << 19).hex().encode()
    with (tmp_path / "root.img").open("wb") as file:
        for _ in range(100):
            file.write(block)
    process = Process(tmp_path, *ROOTFS, "root.img", "--compression", "zstd_best")
    wait_until(
        lambda: any(each.stat().st_size > 1 << 20 for each in tmp_path.glob(".out.mender.*")),
        "it writes",
    )

    process.process.send_signal(signal.SIGINT)
    ended = process.ended()

    assert ended == (130, "", "ota-artifact: interrupted; nothing is half written\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["root.img", "tmp"]


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("modify", "update.mender", "-n", "v2"), signal.SIGINT),
        (("cp", "source", "update.mender:/etc/new"), signal.SIGTERM),
        (("sign", "update.mender"), signal.SIGINT),
    ],
)
def test_a_change_that_is_ended_leaves_the_artifact_as_it_was(
    update: Path, source: Path, tmp_path: Path, words: tuple[str, ...], number: signal.Signals
) -> None:
    (tmp_path / "tmp").mkdir()
    before = state_of(update)

    process = Process(tmp_path, *words, *SLOW)
    wait_until(lambda: is_sleeping(process), "it signs")
    process.process.send_signal(number)
    code, out, err = process.ended()

    assert (code, out) == (128 + number, "")
    assert "Traceback" not in err
    assert state_of(update) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nohup_keeps_a_write_alive(image: Path, tmp_path: Path) -> None:
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = Process(tmp_path, *ROOTFS, image, "--sign-command", "sleep 0.3", before=ignored)
    wait_until(lambda: is_sleeping(process), "it signs")

    process.process.send_signal(signal.SIGHUP)
    code, _, err = process.ended()

    assert code == 1
    assert "printed 0 B, which is no signature" in err


# Streams that are closed or full.


def test_a_reader_that_has_enough_is_no_news(module: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = Process(tmp_path, "read", module, stdout=writing)
    os.close(writing)

    assert process.ended() == (1, "", "")


def test_the_first_line_is_there_for_a_reader_that_takes_no_more(
    module: Path, tmp_path: Path
) -> None:
    process = Process(tmp_path, "read", module)
    assert process.process.stdout

    line = process.process.stdout.readline()
    code, _, err = process.ended()

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
        ended = process.ended()

    assert (ended[0], ended[2].startswith("ota-artifact: stdout: No space left")) == (7, True)
    assert len(ended[2].splitlines()) == 1


def test_an_artifact_does_not_fit_into_a_full_stdout(image: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = Process(tmp_path, *ROOTFS, image, "-o", "-", stdout=full.fileno()).ended()

    assert ended[0] == 7
    assert "stdout or $TMPDIR: No space left on device; make room there" in ended[2]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_crash(image: Path, tmp_path: Path, closed: str) -> None:
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


# No space.


def test_a_write_without_space_leaves_nothing(noise: Path, tmp_path: Path) -> None:
    code, _, err = Process(tmp_path, *ROOTFS, noise, before=limited(100_000)).ended()

    assert code == 7
    assert "out.mender: File too large; make room there, or choose another place" in err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["noise.img", "tmp"]


@pytest.mark.parametrize(
    "words",
    [
        ("modify", "n.mender", "-n", "v2"),
        ("modify", "n.mender", "--compression", "none"),
        ("sign", "n.mender", "-k", "K"),
        ("sign", "n.mender", "-k", "K", "-o", "signed.mender"),
    ],
)
def test_a_change_without_space_leaves_the_artifact_as_it_was(
    command: Command, noise: Path, tmp_path: Path, keys: Keys, words: tuple[str, ...]
) -> None:
    command.ok("write", "rootfs-image", "-n", "v1", "-c", "b", "-f", noise, "-o", "n.mender")
    (tmp_path / "tmp").mkdir()
    before = state_of(tmp_path / "n.mender")
    arguments = [str(keys.rsa) if word == "K" else word for word in words]

    code, _, err = Process(tmp_path, *arguments, before=limited(100_000)).ended()

    assert code == 7
    assert "File too large; make room there" in err
    assert "Traceback" not in err
    assert state_of(tmp_path / "n.mender") == before
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("words", [("cp", "source", "I:/etc/new"), ("modify", "I", "-n", "v2")])
def test_a_file_operation_without_space_leaves_the_image_as_it_was(
    update: Path, source: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "tmp").mkdir()
    before = state_of(update)
    arguments = [word.replace("I", str(update), 1) for word in words]

    code, _, err = Process(tmp_path, *arguments, before=limited(20_000)).ended()

    assert (code, "Traceback" in err) == (7, False), err
    assert state_of(update) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_dump_without_space_leaves_no_half_file(
    command: Command, noise: Path, tmp_path: Path
) -> None:
    command.ok("write", "rootfs-image", "-n", "v1", "-c", "b", "-f", noise, "-o", "n.mender")

    code, _, err = Process(
        tmp_path, "dump", "n.mender", "--files", "out", before=limited(100_000)
    ).ended()

    assert code == 7
    assert "out/noise.img: File too large; make room there" in err
    assert list((tmp_path / "out").iterdir()) == []


# No permission.


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that others may look into, as those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="ota-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


AS_NOBODY = f"""
import os, deflate, ota_artifact.cli.main
import cryptography.hazmat.primitives.serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
ota_artifact.cli.main.build_parser()
os.geteuid() or os.seteuid({NOBODY})
"""
"""Imports first: Python may live where only we may look."""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*ROOTFS, "a.mender"), 3, "out.mender: cannot be created: Permission denied"),
        (("modify", "a.mender", "-n", "v2"), 7, "a.mender: Permission denied; ask for the perm"),
        (("sign", "a.mender", "-k", "K"), 3, "a.mender: cannot be created: Permission denied"),
        (("read", "closed.mender"), 4, "closed.mender: cannot be opened: Permission denied"),
        (("write", "rootfs-image", "-n", "x", "-c", "x", "-f", "closed.mender", "-o", "-"), 7, "c"),
    ],
)
def test_without_permission_the_place_is_named_and_nothing_changes(
    rootfs: Path, keys: Keys, shared: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    for name, mode in (("a.mender", 0o644), ("closed.mender", 0)):
        shutil.copy(rootfs, shared / name)
        (shared / name).chmod(mode)
    shutil.copy(keys.rsa, shared / "key")
    (shared / "key").chmod(0o644)
    (shared / "tmp").mkdir()
    (shared / "tmp").chmod(0o777)
    shared.chmod(0o555)
    before = {each.name: each.stat().st_mtime_ns for each in shared.iterdir()}

    arguments = ["key" if word == "K" else word for word in words]
    ended = Process(shared, *arguments, before=AS_NOBODY).ended()

    assert (ended[0], said in ended[2]) == (code, True), ended[2]
    assert "Traceback" not in ended[2]
    shared.chmod(0o755)
    (shared / "tmp").rmdir()
    del before["tmp"]
    assert {each.name: each.stat().st_mtime_ns for each in shared.iterdir()} == before


# Progress.


def all_of(terminal: int) -> bytes:
    """What comes until the other end is closed."""
    shown = b""
    with suppress(OSError):  # EIO: it is
        while chunk := os.read(terminal, 65536):
            shown += chunk
    os.close(terminal)
    return shown


def on_a_terminal(folder: Path, *arguments: str | Path) -> tuple[int, bytes]:
    """Exit code, and what a terminal gets on stderr."""
    terminal, end = pty.openpty()
    process = Process(folder, *arguments, stderr=end)
    os.close(end)
    shown = all_of(terminal)
    return process.ended()[0], shown


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((*ROOTFS, "root.img"), b"writing"),
        (("read", "rootfs.mender"), b"reading"),
        (("validate", "rootfs.mender"), b"validating"),
        (("sign", "rootfs.mender", "-k", "K"), b"signing"),
        (("modify", "rootfs.mender", "-n", "v2"), b"writing"),
        (("dump", "rootfs.mender", "--files", "out"), b"unpacking"),
    ],
)
def test_a_bar_moves_on_a_terminal_and_goes_away(
    rootfs: Path, keys: Keys, tmp_path: Path, words: tuple[str, ...], what: bytes
) -> None:
    code, shown = on_a_terminal(tmp_path, *(str(keys.rsa) if w == "K" else w for w in words))

    assert (code, what in shown) == (0, True)
    assert b"\x1b[?25h" in shown
    assert shown.rstrip().endswith(b"\x1b[2K")


def test_no_bar_is_shown_if_none_is_wanted(rootfs: Path, tmp_path: Path) -> None:
    code, shown = on_a_terminal(tmp_path, "validate", "rootfs.mender", "--no-progress")

    assert (code, shown) == (0, b"")


def test_no_bar_is_shown_where_nobody_looks(rootfs: Path, tmp_path: Path) -> None:
    code, _, err = Process(tmp_path, "validate", "rootfs.mender").ended()

    assert (code, err) == (0, "")


def test_a_terminal_has_its_cursor_back_after_an_interruption(image: Path, tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    process = Process(tmp_path, *ROOTFS, image, *SLOW, stderr=end)
    os.close(end)
    wait_until(lambda: is_sleeping(process), "it signs")

    process.process.send_signal(signal.SIGINT)
    shown = all_of(terminal)

    assert process.ended()[0] == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"interrupted; nothing is half written" in shown


def test_a_terminal_is_not_filled_with_an_artifact(image: Path, tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    process = Process(tmp_path, *ROOTFS, image, "-o", "-", stdout=end)
    os.close(end)

    code, _, err = process.ended()

    os.close(terminal)
    assert code == 1
    assert "-: stdout is a terminal; redirect it, or name a file with -o" in err
