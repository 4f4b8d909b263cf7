# SPDX-License-Identifier: Apache-2.0
"""The frame of every command: how it starts, how it ends, and what it says of an error.

It ends with 1 and a traceback for a bug of ours, 130 after Ctrl-C, 143 after SIGTERM, 129 after
SIGHUP, and 141 when the reader of its output has left, as a program that SIGPIPE kills. It leaves
every `with` in order, so that no temporary file and no machine stays behind.
"""

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TextIO

from ota_artifact.terminal import guard, indented

_SIGNAL = 128
"""A code above it says which signal ended the command. Source: POSIX, sh, "exit status"."""
_ROOM = "; make room there, or choose another place ($TMPDIR for temporary files)"
_DEV_FULL = os.makedev(1, 7)  # Source: Linux, Documentation/admin-guide/devices.txt
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EROFS: "; choose another place",
    errno.EACCES: "; run as a user with permission, or choose another place",
}


class Command:
    """A command, such as ``ota-image``.

    Args:
        name: what the user calls.
        work: does what a command line says, and gives the exit code.
        code_of: the exit code for an error whose text is for the user; None for any other. A
            system error without one has 2 if a file is not there, and otherwise 3.
        hint: what follows ``interrupted``.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[str]], int],
        *,
        code_of: Callable[[Exception], int | None],
        hint: str = "",
    ) -> None:
        self._name = name
        self._work = work
        self._code_of = code_of
        self._hint = hint

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command; gives its exit code.

        Raises:
            SystemExit: the command line is wrong, or asks for help.
        """
        try:
            with _flushing_stdout():
                return self._work(sys.argv[1:] if argv is None else argv)
        except KeyboardInterrupt:
            return self._fail(f"interrupted{self._hint}", _SIGNAL + signal.SIGINT)
        except OSError as error:
            if isinstance(error, BrokenPipeError) and _reader_has_left():
                return _SIGNAL + signal.SIGPIPE
            return self._fail(_explained(error), self._system_code(error))
        except Exception as error:
            code = self._code_of(error)
            if code is None:
                raise
            return self._fail(str(error), code)

    def entry(self) -> NoReturn:
        """Run the command as a process of its own."""
        _open_closed_streams()
        guard()
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has HUP ignored
                signal.signal(number, _leave)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # background jobs of a shell
            signal.signal(signal.SIGINT, _interrupt)
        try:
            code = self.main()
        except SystemExit as end:
            code = _number(end)
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            code = self._fail("internal error; please report it with the lines above", 1)
        for stream in (sys.stdout, sys.stderr):
            _finish(stream, is_wanted=code <= _SIGNAL)
        sys.exit(code)

    def _system_code(self, error: OSError) -> int:
        code = self._code_of(error)
        if code is not None:
            return code
        is_input = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        return 2 if is_input else 3

    def _fail(self, text: str, code: int) -> int:
        """Print why on stderr; gives the code, which still tells if nobody can read that."""
        with suppress(OSError):
            print(f"{self._name}: {indented(text)}", file=sys.stderr, flush=True)
        return code


def needed(words: Sequence[str], modules: Sequence[str]) -> Sequence[str]:
    """The modules of sub-commands that a command line needs; the others need not be imported.

    It is all of them if the command line is wrong or asks for help.

    Args:
        words: the command line.
        modules: the names of all, such as ``check_update``; its sub-command is ``check-update``.
    """
    called = next((each.replace("-", "_") for each in words if not each.startswith("-")), "")
    if called in modules:
        return (called,)
    return () if list(words) == ["--version"] else modules


@contextmanager
def _flushing_stdout() -> Iterator[None]:
    """Flush stdout at the end, to find an error there; but not after a signal."""
    try:
        yield
    except SystemExit as end:
        if _number(end) <= _SIGNAL:
            sys.stdout.flush()
        raise
    sys.stdout.flush()


def _number(end: SystemExit) -> int:
    return int(end.code or 0)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave by way of every `with`."""
    _finish_tidying()
    sys.exit(_SIGNAL + number)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """The same for Ctrl-C, whose second press cuts the tidying short."""
    _finish_tidying()
    raise KeyboardInterrupt


def _finish_tidying() -> None:
    """Let no other signal cut short what a `with` tidies up: who sent us Ctrl-C may add SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is _leave:
            signal.signal(number, _go_on)  # not SIG_IGN, which the programs that we start inherit


def _go_on(_number: int, _frame: FrameType | None) -> None:
    """Do nothing about a signal."""


def _explained(error: OSError) -> str:
    remedy = _REMEDIES.get(error.errno or 0, "")
    place = error.filename or (_full_place() if remedy == _ROOM else "")
    return f"{place}{': ' if place else ''}{error.strerror or error}{remedy}"


def _full_place() -> str:
    """The full place, if an error does not name it because its file has no name."""
    import tempfile

    with suppress(OSError):
        state, room = os.fstat(1), os.fstatvfs(1)
        is_full = stat.S_ISREG(state.st_mode) and not room.f_bavail
        if is_full or (stat.S_ISCHR(state.st_mode) and state.st_rdev == _DEV_FULL):
            return "stdout"
    return tempfile.gettempdir()


def _reader_has_left() -> bool:
    """Whether stdout or stderr is a pipe without a reader."""
    import select

    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)  # POLLERR comes unasked
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _open_closed_streams() -> None:
    """Open stdin, stdout and stderr if the caller has closed them (``>&-``)."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _finish(stream: TextIO, *, is_wanted: bool) -> None:
    """Empty a stream, or Python would try to write the rest when it ends."""
    try:
        if is_wanted:
            stream.flush()
            return
    except OSError:
        pass
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
