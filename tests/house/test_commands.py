# SPDX-License-Identifier: Apache-2.0
"""All commands end in the same way, whatever ends them; each in a real process."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.tree import tools

COMMANDS = {name: module for tool in tools() for name, module in tool.commands}

DEADLINE = 20.0  # [s] for a process to end

PROGRAM = """\
import argparse, sys, time, {module} as main
def run(args):
{work}
if {is_ours}:
    argparse.ArgumentParser.parse_args = lambda *_: argparse.Namespace(run=run)
main.entry()
"""
"""Starts a command as its installed script does, with our work in place of its sub-commands."""

_WORK = """\
    try:
        open("ready", "w").close()
        {then}
    finally:
        open("cleaned", "w").close()
"""
WAIT = _WORK.format(then="[time.sleep(0.1) for _ in range(600)]")
"""Short sleeps: a signal that comes just before a long one would not end it."""
PRINT = _WORK.format(then="print('much' * 100_000)")
"""More than a pipe holds."""

CODES = {
    "ota-agent": {"usage": 1, "input": 1, "world": 1},
    "ota-artifact": {"usage": 1, "input": 1, "world": 7},
}
"""The commands that replace a program of Mender's."""
OUR_CODES = {"usage": 2, "input": 2, "world": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What happens to a command, and how it ends.

    Attributes:
        words: its arguments.
        work: runs in place of its sub-commands: a block of Python, indented.
        stdout, stderr: where they go, as a shell writes it, or to a pipe: ``gone``, whose reader
            has closed it; ``stuck``, whose reader does not read.
        number: the signal that it gets once it is ready.
        code: its exit code, or the kind of it.
        out: how stdout begins.
        err: how its last line on stderr begins; {name} stands for the command; "": all is silent.
    """

    words: tuple[str, ...] = ()
    work: str = ""
    stdout: str = ""
    stderr: str = ""
    number: signal.Signals | None = None
    code: int | str = 0
    out: str = ""
    err: str = ""


CASES = {
    "done": Case(work="    print('here'); return 0", out="here\n"),
    "help": Case(words=("--help",), out="usage: "),
    "nothing asked": Case(out="usage: "),
    "usage": Case(words=("--bogus",), code="usage", err="{name}: unrecognized arguments: --bogus"),
    # Signals.
    "Ctrl-C": Case(work=WAIT, number=signal.SIGINT, code=130, err="{name}: interrupted"),
    "SIGTERM": Case(work=WAIT, number=signal.SIGTERM, code=143),
    "SIGHUP": Case(work=WAIT, number=signal.SIGHUP, code=129),
    "Ctrl-C, nobody reads": Case(
        work=PRINT, number=signal.SIGINT, stdout="stuck", code=130, err="{name}: interrupted"
    ),
    "SIGTERM, nobody reads": Case(work=PRINT, number=signal.SIGTERM, stdout="stuck", code=143),
    # Errors.
    "no such file": Case(
        work="    open('missing')",
        code="input",
        err="{name}: missing: No such file or directory\n",
    ),
    "no permission": Case(
        work="    raise PermissionError(13, 'Permission denied', '/here')",
        code="world",
        err="{name}: /here: Permission denied; run as a user with permission",
    ),
    "disk full": Case(
        work="    raise OSError(28, 'No space left on device', '/here')",
        code="world",
        err="{name}: /here: No space left on device; make room there",
    ),
    "a connection broke": Case(
        work="    raise BrokenPipeError(32, 'Broken pipe')",
        code="world",
        err="{name}: Broken pipe\n",
    ),
    "our bug": Case(work="    1 / 0", code=1, err="{name}: internal error; please report it"),
    # Streams that are full or closed, or have no reader.
    "stdout full": Case(
        words=("--help",),
        stdout=">/dev/full",
        code="world",
        err="{name}: stdout: No space left on device; make room there",
    ),
    "stdout closed": Case(words=("--help",), stdout=">&-"),
    "all closed": Case(work="    print('here'); return 0", stdout=">&- <&-", stderr="2>&-"),
    "error, stderr closed": Case(work="    open('missing')", stderr="2>&-", code="input"),
    "stdout gone": Case(
        work="    for _ in range(100): print('much' * 10000)", stdout="gone", code=141
    ),
    "stdout gone, little said": Case(words=("--help",), stdout="gone", code=141),
    "stdout gone, then an error": Case(
        work="    print('here'); open('missing')",
        stdout="gone",
        code="input",
        err="{name}: missing",
    ),
    "stderr gone": Case(work="    print('here', file=sys.stderr)", stderr="gone", code=141),
    "usage, stderr gone": Case(words=("--bogus",), stderr="gone", code="usage"),
    "error, stderr gone": Case(work="    open('missing')", stderr="gone", code="input"),
    "our bug, stderr gone": Case(work="    1 / 0", stderr="gone", code=1),
    "Ctrl-C, both gone": Case(
        work=WAIT, number=signal.SIGINT, stdout="gone", stderr="gone", code=130
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_as_all_others_do(tmp_path: Path, name: str, case: str) -> None:
    given = CASES[case]

    code, out, err = run_to_end(tmp_path, name, given)

    kinds = CODES.get(name, OUR_CODES)
    assert code == (given.code if isinstance(given.code, int) else kinds[given.code]), err
    assert out.startswith(given.out)
    last = "".join(err.splitlines(keepends=True)[-1:])
    assert last.startswith(given.err.format(name=name)), err
    assert bool(err) == bool(given.err), err
    assert ("Traceback" in err) == (case == "our bug"), err
    assert (tmp_path / "cleaned").exists() == (given.number is not None)


IMPORTING = """\
import os, signal, sys, {package}
class Interrupting:
    def find_spec(self, name, *_):
        if name == "{package}.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
{package}.begin()
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_an_interrupt_while_a_command_is_imported_is_silent(name: str) -> None:
    program = IMPORTING.format(package=COMMANDS[name].removesuffix(".main"))

    done = subprocess.run(  # noqa: S603
        (sys.executable, "-c", program), capture_output=True, timeout=DEADLINE, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


TIDY = """\
    try:
        open("ready", "w").close()
        [time.sleep(0.1) for _ in range(600)]
    finally:
        open("tidying", "w").close()
        [time.sleep(0.1) for _ in range(5)]
        open("cleaned", "w").close()
"""


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("then", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_cut_the_tidying_short(
    tmp_path: Path, first: signal.Signals, then: signal.Signals
) -> None:
    program = PROGRAM.format(module=COMMANDS["ota-image"], work=TIDY, is_ours=True)
    process = subprocess.Popen(  # noqa: S603
        (sys.executable, "-c", program),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=as_from_a_terminal,
    )
    wait_until((tmp_path / "ready").exists)
    process.send_signal(first)
    wait_until((tmp_path / "tidying").exists)

    process.send_signal(then)
    communicate(process)

    assert (tmp_path / "cleaned").exists()
    assert process.returncode == 128 + first


def run_to_end(folder: Path, name: str, case: Case) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command, in a process and a folder of its own."""
    program = PROGRAM.format(
        module=COMMANDS[name], work=case.work or "    pass", is_ours=bool(case.work)
    )
    redirected = " ".join(each for each in (case.stdout, case.stderr) if each not in _PIPES)
    words = (sys.executable, "-c", program, *case.words)
    with pipe(case.stdout) as out, pipe(case.stderr) as err:
        process = subprocess.Popen(  # noqa: S603
            ("/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *words),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, "PYTHONUNBUFFERED": "", "PYTHONFAULTHANDLER": "1"},
            preexec_fn=as_from_a_terminal,
        )
        try:
            if case.number:
                wait_until((folder / "ready").exists)
                if case.stdout == "stuck":
                    wait_until(lambda: is_full(out))  # a signal before that would not end a write
                process.send_signal(case.number)
            said = communicate(process)
        finally:
            process.kill()
    return process.returncode, (said[0] or b"").decode(), (said[1] or b"").decode()


def communicate(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What a process prints until it ends; one that does not end prints a traceback."""
    try:
        return process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        said = process.communicate(timeout=DEADLINE)[1] or b""
        raise AssertionError(f"no end after {DEADLINE:g} s: {said.decode()}") from None


_PIPES = ("gone", "stuck")


@contextmanager
def pipe(kind: str) -> Iterator[int]:
    """A stream for a process to write to; a pipe that is read, if ``kind`` is empty."""
    if kind not in _PIPES:
        yield subprocess.PIPE
        return
    reading, writing = os.pipe()
    if kind == "gone":
        os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)
        if kind == "stuck":
            os.close(reading)


def as_from_a_terminal() -> None:
    """Undo nohup, whose ignored hang-up all programs of the tests would inherit."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, f"waited {DEADLINE:g} s until the command is at work"
        time.sleep(0.01)


def is_full(pipe: int) -> bool:
    """Whether a pipe takes no more."""
    held = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(held, sys.byteorder) == fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
