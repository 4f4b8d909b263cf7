# SPDX-License-Identifier: Apache-2.0
"""The one door to other programs."""

import logging
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Literal, Self, cast

from ota_artifact.errors import ProgramError
from ota_artifact.interpreter import NOT_FOUND, missing, why_not_found
from ota_artifact.quoting import masked, shortened
from ota_artifact.which import which

logger = logging.getLogger(__name__)

_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Makes a program end with us, whatever ends us. Source: util-linux."""
_PIECE = _SAID = 1 << 16  # [B] what a pipe holds, and what is kept of stderr
_LINE = 1 << 13  # [B] that a line is cut at
_LOOK = 0.02  # [s] between polls of what cannot be waited for
_ROUNDS = 4  # of reading, until it is looked whether time is over: it may print without end


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    success: Sequence[int] = (0,),
) -> bytes:
    """Run a program to its end; gives what it printed on stdout.

    Logs the command (DEBUG), ready to copy and paste, without the PIN of a token.

    Args:
        argv: the program and its arguments; no shell runs.
        timeout: how long it may take [s].
        stdin: what it reads; by default nothing.
        environment: variables set on top of ours.
        success: exit codes that mean success.

    Raises:
        ProgramError: it is not installed, ran too long, or ended with another code; the text
            has the command and what it printed on stderr, of many lines the first and the last.
    """
    words = [os.fspath(word) for word in argv]
    line = masked(shlex.join(words))
    logger.debug("+ %s", line)
    try:
        done = subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **environment} if environment else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise ProgramError(f"{words[0]}: {why_not_found(words[0])}") from error
    except OSError as error:
        raise ProgramError(f"{line}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{line}: did not finish within {timeout:g} s") from error
    if done.returncode not in success:
        said = shortened(masked(done.stderr.decode("utf-8", "replace").strip()))
        raise ProgramError(f"{line}: exit code {done.returncode}: {said or '(nothing on stderr)'}")
    return done.stdout


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
) -> Ended:
    """Run a program to its end, and pass on its output as it comes.

    An error in ``sink`` or an interrupt ends the program too.

    Args:
        argv: as in `run`.
        silence: how long it may print nothing [s].
        sink: gets each piece of its stdout.
        show: gets each piece of its stderr.
        is_interactive: whether it reads our stdin; otherwise its stdin is empty.

    Raises:
        ProgramError: it is not installed, or was silent too long.
    """
    words = [os.fspath(word) for word in argv]
    line = masked(shlex.join(words))
    logger.debug("+ %s", line)
    given = None if is_interactive else subprocess.DEVNULL
    try:
        program = subprocess.Popen(
            words, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
    except FileNotFoundError as error:
        raise ProgramError(f"{words[0]}: {why_not_found(words[0])}") from error
    except OSError as error:
        raise ProgramError(f"{line}: {error.strerror}") from error
    said = bytearray()

    def hear(piece: bytes) -> None:
        said.extend(piece)
        del said[:-_SAID]
        if show:
            show(piece)

    with program, selectors.DefaultSelector() as ready:
        try:
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
        except subprocess.TimeoutExpired as error:
            program.kill()
            raise ProgramError(f"{words[0]}: did not finish within {silence:g} s") from error
        except BaseException:
            program.kill()
            raise
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
            raise ProgramError(f"{self.argv[0]}: {NOT_FOUND}")
        try:
            self._program = subprocess.Popen(
                (*_WITH_US, *self.argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,  # Ctrl-C reaches us alone, and we end it
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
    ) -> None:
        words = [os.fspath(word) for word in argv]
        self._line, self._timeout, self._grace, self._hear = shlex.join(words), timeout, grace, hear
        logger.debug("+ %s", masked(self._line))
        found = which(words[0])
        if why := missing(found) if found else "is missing, or not executable":
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
        cast(BinaryIO, self._program.stdout).close()
        cast(BinaryIO, self._program.stderr).close()

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
            why = f"did not finish within {self._timeout:g} s; it was killed"
            raise ProgramError(f"{self._line}: {why}")
        if until_writable is not None:
            self._ready.register(until_writable, selectors.EVENT_WRITE)
        try:
            # A process that it leaves behind may keep its output open: wait for its own end only.
            self._listen(min(left, left if wait is None else wait, 5 * _LOOK))
        finally:
            if until_writable is not None:
                self._ready.unregister(until_writable)
        code = self._program.poll()
        if code is not None:
            self._listen(0)
            self._say_rest()
            self.code = code

    def _listen(self, wait: float) -> None:
        if not self._ready.get_map():
            with suppress(subprocess.TimeoutExpired):
                self._program.wait(wait)
            return
        for _ in range(_ROUNDS):
            events = self._ready.select(wait)
            heard = [key for key, _ in events if key.data]
            for key in heard:
                self._take(key)
            if not events or len(heard) < len(events) or not self._ready.get_map():
                return
            wait = 0

    def _take(self, key: selectors.SelectorKey) -> None:
        name: Channel = key.data
        try:
            piece = os.read(key.fd, _PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._ready.unregister(key.fileobj)
        *lines, self._begun[name] = (self._begun[name] + piece).split(b"\n")
        if len(self._begun[name]) > _LINE:
            lines, self._begun[name] = [*lines, self._begun[name]], b""
        for line in lines:
            self._say(name, line)

    def _say(self, name: Channel, line: bytes) -> None:
        self._hear(name, masked(line[:_LINE].decode("utf-8", "replace").rstrip("\r")))

    def _say_rest(self) -> None:
        for name, rest in self._begun.items():
            if rest:
                self._say(name, rest)

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
    words = [os.fspath(word) for word in argv]
    logger.debug("+ %s", masked(shlex.join(words)))
    if which(words[0]) is None:
        raise ProgramError(f"{words[0]}: {NOT_FOUND}")
    return subprocess.run((*_with_us(), *words), check=False).returncode
