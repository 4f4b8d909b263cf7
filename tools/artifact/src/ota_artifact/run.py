# SPDX-License-Identifier: Apache-2.0
"""The one door to other programs."""

import logging
import os
import re
import selectors
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from ota_artifact.errors import ProgramError

logger = logging.getLogger(__name__)

_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Before a program that is to end with us, whatever ends us. Source: util-linux."""
_PIECE = 1 << 16  # [B] what a pipe holds
_SAID = 1 << 16  # [B] of stderr that is kept
_PIN = re.compile(r"(pin-value=)[^;&?']*")  # Source: RFC 7512, PKCS#11 URIs


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    success: Sequence[int] = (0,),
) -> bytes:
    """Run a program to its end and give what it printed on stdout.

    The command is logged (DEBUG) in a form to copy and paste, all but the PIN of a token.

    Args:
        argv: the program and its arguments; never a shell's line.
        timeout: how long it may take [s].
        stdin: what it reads; by default nothing.
        environment: variables set on top of ours.
        success: exit codes that mean success.

    Raises:
        ProgramError: it is not installed, ran too long, or ended with another code; the text
            holds the command and what it said on stderr.
    """
    words = [os.fspath(word) for word in argv]
    line = _masked(shlex.join(words))
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
        raise ProgramError(f"{words[0]}: not found; install the package that has it") from error
    except OSError as error:
        raise ProgramError(f"{line}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{line}: no end after {timeout:g} s") from error
    if done.returncode not in success:
        said = _masked(done.stderr.decode("utf-8", "replace").strip()) or "(nothing on stderr)"
        raise ProgramError(f"{line}: exit code {done.returncode}: {said}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code, and the last of what it said on stderr."""

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
    """Run a program to its end, and pass on what it prints as it comes.

    Whatever ends this early, an error in ``sink`` or an interrupt, ends the program too.

    Args:
        argv: as in `run`.
        silence: how long it may print nothing [s].
        sink: given each piece of its stdout.
        show: given each piece of its stderr.
        is_interactive: it reads our stdin; otherwise nothing.

    Raises:
        ProgramError: it is not installed, or was silent too long.
    """
    words = [os.fspath(word) for word in argv]
    line = _masked(shlex.join(words))
    logger.debug("+ %s", line)
    stdin = None if is_interactive else subprocess.DEVNULL
    try:
        program = subprocess.Popen(
            words, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
    except FileNotFoundError as error:
        raise ProgramError(f"{words[0]}: not found; install the package that has it") from error
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
                    raise ProgramError(f"{words[0]}: silent for {silence:g} s")
                for key, _ in events:
                    if piece := os.read(key.fd, _PIECE):
                        key.data(piece)
                    else:
                        ready.unregister(key.fileobj)
            program.wait(silence)
        except subprocess.TimeoutExpired as error:
            program.kill()
            raise ProgramError(f"{words[0]}: no end after {silence:g} s") from error
        except BaseException:
            program.kill()
            raise
    text = _masked(said.decode("utf-8", "replace").strip()) or "(nothing on stderr)"
    return Ended(program.returncode, text)


class Background:
    """A program that runs beside ours, with its console in our hands; it ends when we do.

    Attributes:
        argv: the program and its arguments.
        stdin: file descriptor to write to.
        output: file descriptor to read its stdout and stderr from.

    Raises:
        ProgramError: it is not installed.
    """

    def __init__(self, argv: Sequence[str | os.PathLike[str]]) -> None:
        self.argv = [os.fspath(word) for word in argv]
        logger.debug("+ %s", _masked(shlex.join(self.argv)))
        if shutil.which(self.argv[0]) is None:
            raise ProgramError(f"{self.argv[0]}: not found; install the package that has it")
        try:
            self._program = subprocess.Popen(
                (*_WITH_US, *self.argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is ours: we end it, it does not end itself
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
        """End it at once, whatever it does; harmless if it has ended."""
        self._program.kill()
        self._program.wait()

    def close(self) -> None:
        """Let go of its console, once nobody reads it any more."""
        cast(BinaryIO, self._program.stdin).close()
        cast(BinaryIO, self._program.stdout).close()


def attached(argv: Sequence[str | os.PathLike[str]]) -> int:
    """Run a program on our own terminal, for as long as the user likes; gives its exit code.

    Raises:
        ProgramError: it is not installed.
    """
    words = [os.fspath(word) for word in argv]
    logger.debug("+ %s", _masked(shlex.join(words)))
    try:
        return subprocess.run(words, check=False).returncode
    except FileNotFoundError as error:
        raise ProgramError(f"{words[0]}: not found; install the package that has it") from error


def _masked(text: str) -> str:
    return _PIN.sub(r"\1…", text)
