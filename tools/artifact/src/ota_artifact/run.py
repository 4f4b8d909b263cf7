# SPDX-License-Identifier: Apache-2.0
"""The one door to other programs."""

import logging
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Literal, Self, cast

from ota_artifact.errors import ProgramError
from ota_artifact.interpreter import lacking
from ota_artifact.quoting import masked, shortened
from ota_artifact.which import missing, which

logger = logging.getLogger(__name__)

_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Makes a program end with us, whatever ends us. Source: util-linux."""
_PIECE = _SAID = 1 << 16  # [B] what a pipe holds, and what is kept of stderr
_LINE = 1 << 13  # [B] that a line is cut at
_GRACE = 30.0  # [s] between SIGTERM and SIGKILL: it may have many files to remove
_LOOK = 0.02  # [s] between polls of what cannot be waited for


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    success: Sequence[int] = (0,),
) -> bytes:
    """Run a program to its end; gives what it printed on stdout. A timeout or an interrupt ends it.

    Logs the command (DEBUG), ready to copy and paste, without the PIN of a token.

    Args:
        argv: the program and its arguments; no shell runs.
        timeout: how long it may take [s].
        stdin: what it reads; by default nothing.
        environment: variables set on top of ours.
        success: exit codes that mean success.

    Raises:
        ProgramError: it is not installed, ran too long, or failed; the text has its stderr.
    """
    words = [os.fspath(word) for word in argv]
    line = masked(shlex.join(words))
    logger.debug("+ %s", line)
    program, line = _start(words, stdin=subprocess.PIPE, environment=environment), shortened(line)
    with program, _ending(program, f"{line}: did not finish within {timeout:g} s"):
        printed, said = program.communicate(stdin, timeout)
    if program.returncode not in success:
        text = shortened(masked(said.decode("utf-8", "replace").strip())) or "(nothing on stderr)"
        raise ProgramError(f"{line}: exit code {program.returncode}: {text}")
    return printed


def _start(
    words: Sequence[str], *, stdin: int | None, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            words,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **environment} if environment else None,
        )
    except FileNotFoundError as error:
        raise ProgramError(missing(words[0])) from error
    except OSError as error:
        raise ProgramError(f"{masked(shlex.join(words))}: {error.strerror}") from error


@contextmanager
def _ending(program: "subprocess.Popen[bytes]", late: str) -> Iterator[None]:
    """End a program if the block raises: SIGTERM, so that it can tidy up, then SIGKILL."""
    try:
        yield
    except BaseException as error:
        try:
            program.terminate()
            with suppress(subprocess.TimeoutExpired):
                program.wait(_GRACE)
        finally:
            program.kill()
        if isinstance(error, subprocess.TimeoutExpired):
            raise ProgramError(late) from error
        raise


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code, and the end of what it printed on stderr."""

    code: int
    said: str


def stream(
    argv: Sequence[str | os.PathLike[str]],
    *,
    silence: float,
    sink: Callable[[bytes], None],
    show: Callable[[bytes], None] | None = None,
    is_interactive: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program and pass on its output. An error in ``sink`` or an interrupt ends it too.

    Args:
        argv: as in `run`.
        silence: how long it may print nothing [s].
        sink: gets each piece of its stdout.
        show: gets each piece of its stderr.
        is_interactive: whether it reads our stdin; otherwise its stdin is empty.
        environment: variables set on top of ours.

    Raises:
        ProgramError: it is not installed, or was silent too long.
    """
    logger.debug("+ %s", masked(shlex.join(words := [os.fspath(word) for word in argv])))
    stdin = None if is_interactive else subprocess.DEVNULL
    program = _start(words, stdin=stdin, environment=environment)
    said = bytearray()

    def hear(piece: bytes) -> None:
        said.extend(piece)
        del said[:-_SAID]
        if show:
            show(piece)

    late = f"{words[0]}: did not finish within {silence:g} s"
    with program, _ending(program, late), selectors.DefaultSelector() as ready:
        ready.register(cast(BinaryIO, program.stdout), selectors.EVENT_READ, sink)
        ready.register(cast(BinaryIO, program.stderr), selectors.EVENT_READ, hear)
        while ready.get_map():
            events = ready.select(silence)
            if not events:
                raise ProgramError(f"{words[0]}: printed nothing for {silence:g} s")
            for key, _ in events:
                if piece := os.read(key.fd, _PIECE):
                    key.data(piece)
                else:
                    ready.unregister(key.fileobj)
        program.wait(silence)
    text = masked(said.decode("utf-8", "replace").strip()) or "(nothing on stderr)"
    return Ended(program.returncode, text)


class Background:
    """A program in the background, with its console connected to us; it ends when we do.

    Attributes:
        argv: the program and its arguments.
        stdin: file descriptor to write to.
        output: file descriptor to read its stdout and stderr from.

    Raises:
        ProgramError: it is not installed.
    """

    def __init__(self, argv: Sequence[str | os.PathLike[str]]) -> None:
        self.argv = [os.fspath(word) for word in argv]
        logger.debug("+ %s", masked(shlex.join(self.argv)))
        if which(self.argv[0]) is None:
            raise ProgramError(missing(self.argv[0]))
        try:
            self._program = subprocess.Popen(
                (*_WITH_US, *self.argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,  # Ctrl-C reaches only us, and we end it
            )
        except OSError as error:
            raise ProgramError(f"{shlex.join(_WITH_US)}: {error.strerror}") from error
        self.stdin = cast(BinaryIO, self._program.stdin).fileno()
        self.output = cast(BinaryIO, self._program.stdout).fileno()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._program.poll() is None

    def kill(self) -> None:
        """Kill it; harmless if it has ended."""
        self._program.kill()
        self._program.wait()

    def close(self) -> None:
        """Close its console, once it has no reader."""
        cast(BinaryIO, self._program.stdin).close()
        cast(BinaryIO, self._program.stdout).close()


Channel = Literal["stdout", "stderr"]
Hear = Callable[[Channel, str], None]
"""Gets each line that a program prints, as it comes, without the line end."""


class Supervised:
    """A program in its own session, for a limited time; use it in a ``with``.

    Its stdin is empty. A timeout, or an exception in the ``with``, ends it and its process group:
    SIGTERM, then SIGKILL after ``grace``. Processes that it leaves behind at its own end are not
    touched. If we are killed, so is it, given the setpriv of util-linux; that of busybox cannot.

    Args:
        argv: the program and its arguments.
        timeout: how long it may take in all [s].
        hear: gets the lines that it prints.
        folder: its working directory; by default ours.
        environment: variables set on top of ours.
        grace: time between SIGTERM and SIGKILL [s].
        umask: by default ours.

    Attributes:
        code: its exit code, minus the signal that ended it; None while it runs.

    Raises:
        ProgramError: it is missing, or cannot be executed.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        timeout: float,
        hear: Hear,
        folder: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
        grace: float = 10.0,
        umask: int = -1,
    ) -> None:
        self._line = shlex.join(words := [os.fspath(word) for word in argv])
        self._timeout, self._grace, self._hear = timeout, grace, hear
        logger.debug("+ %s", masked(self._line))
        if why := lacking(which(words[0]) or ""):
            raise ProgramError(f"{words[0]}: {why}")
        try:
            self._program = subprocess.Popen(
                (*_with_us(), *words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=folder,
                env={**os.environ, **environment} if environment else None,
                start_new_session=True,
                umask=umask,
            )
        except OSError as error:
            raise ProgramError(f"{self._line}: {error.strerror}") from error
        self.code: int | None = None
        self._deadline = time.monotonic() + timeout
        self._ready = selectors.DefaultSelector()
        self._begun: dict[Channel, bytes] = {"stdout": b"", "stderr": b""}
        for name, pipe in (("stdout", self._program.stdout), ("stderr", self._program.stderr)):
            os.set_blocking(cast(BinaryIO, pipe).fileno(), False)
            self._ready.register(cast(BinaryIO, pipe), selectors.EVENT_READ, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            self._end()
        self._ready.close()
        for pipe in (self._program.stdout, self._program.stderr):
            cast(BinaryIO, pipe).close()

    def finish(self) -> int:
        """Pass on its output until it ends; gives its exit code.

        Raises:
            ProgramError: its time was over, and it has been ended.
        """
        while self.code is None:
            self.tend()
        return self.code

    def tend(self, wait: float | None = None, *, until_writable: int | None = None) -> None:
        """Wait for output, its end, or a writable descriptor, and pass on the output.

        Args:
            wait: at most this long [s]; by default until the timeout.
            until_writable: return, too, once this file descriptor accepts data.

        Raises:
            ProgramError: its time was over, and it has been ended.
        """
        if self.code is not None:
            return
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._end()
            late = f"{self._line}: did not finish within {self._timeout:g} s; it was killed"
            raise ProgramError(late)
        if until_writable is not None:
            self._ready.register(until_writable, selectors.EVENT_WRITE)
        try:
            # A process that it leaves behind may keep its output open: wait for its own end only.
            self._listen(min(left, left if wait is None else wait, 5 * _LOOK))
        finally:
            if until_writable is not None:
                self._ready.unregister(until_writable)
        if (code := self._program.poll()) is not None:
            self._listen(0)
            for name, rest in filter(lambda each: each[1], self._begun.items()):
                self._say(name, rest)
            self.code = code

    def _listen(self, wait: float) -> None:
        if not self._ready.get_map():
            with suppress(subprocess.TimeoutExpired):
                self._program.wait(wait)
            return
        for pause in (wait, 0.0, 0.0, 0.0):  # and then look at the time: it may never fall silent
            events = self._ready.select(pause)
            heard = [key for key, _ in events if key.data]
            for key in heard:
                self._take(key)
            if not events or len(heard) < len(events) or not self._ready.get_map():
                return

    def _take(self, key: selectors.SelectorKey) -> None:
        name: Channel = key.data
        try:
            piece = os.read(key.fd, _PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._ready.unregister(key.fileobj)
        *lines, rest = (self._begun[name] + piece).split(b"\n")
        lines, self._begun[name] = ([*lines, rest], b"") if len(rest) > _LINE else (lines, rest)
        for line in lines:
            self._say(name, line)

    def _say(self, name: Channel, line: bytes) -> None:
        self._hear(name, masked(line[:_LINE].decode("utf-8", "replace").rstrip("\r")))

    def _end(self) -> None:
        self._signal(signal.SIGTERM)
        end = time.monotonic() + self._grace
        while self._is_there() and time.monotonic() < end:
            with suppress(subprocess.TimeoutExpired):
                self._program.wait(_LOOK)
        self._signal(signal.SIGKILL)
        self.code = -signal.SIGKILL  # if it hangs in the kernel, as on a disk that has failed
        with suppress(subprocess.TimeoutExpired):
            self.code = self._program.wait(max(self._grace, 1.0))

    def _is_there(self) -> bool:
        """Whether any process of its group is."""
        if self._program.poll() is None:
            return True
        try:
            os.killpg(self._program.pid, 0)
        except OSError:
            return False
        time.sleep(_LOOK)
        return True

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._program.pid, number)


@cache
def _with_us() -> tuple[str, ...]:
    """`_WITH_US` where it works; otherwise nothing."""
    words = (which("setpriv") or "setpriv", *_WITH_US[1:])
    try:
        run((*words, "true"), timeout=10)
    except ProgramError:
        return ()
    return words


def run_attached(argv: Sequence[str | os.PathLike[str]]) -> int:
    """Run a program on our own terminal until it or we end; gives its exit code.

    Raises:
        ProgramError: it is not installed.
    """
    logger.debug("+ %s", masked(shlex.join(words := [os.fspath(word) for word in argv])))
    if which(words[0]) is None:
        raise ProgramError(missing(words[0]))
    return subprocess.run((*_with_us(), *words), check=False).returncode
