# SPDX-License-Identifier: Apache-2.0
"""Gives a payload's files to an update module through named pipes, one after the other.

Nothing waits only for a pipe: each wait also watches the module's end and its time.

Source: Mender's update modules, protocol version 3, "Download".
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_agent.durable import remove_folder
from ota_agent.errors import AgentError
from ota_artifact.payload import PayloadFile
from ota_artifact.run import Supervised

_LOOKS = (0.002, 0.05)  # [s] between two looks whether it reads a pipe: at first, and at most
_TRIES = 10  # such looks at most until it is ended


class TurnedAway(AgentError):
    """A module that began to read did not read all; the text says how it ended."""


class Streams:
    """The pipes in a tree: ``stream-next``, and one in ``streams/`` for the file that is next.

    Args:
        has_sizes: the module is told how long a file is.

    Attributes:
        has_begun: the module has asked for a file.
    """

    def __init__(self, tree: Path, *, has_sizes: bool) -> None:
        self._tree, self._has_sizes = tree, has_sizes
        self._next, self._folder = tree / "stream-next", tree / "streams"
        self.has_begun = False
        self.remove()
        self._folder.mkdir(mode=0o700)
        os.mkfifo(self._next, 0o600)

    def remove(self) -> None:
        """Take all pipes away."""
        remove_folder(self._folder)
        self._next.unlink(missing_ok=True)

    def feed(
        self, module: Supervised, files: Iterator[PayloadFile], passed: Callable[[int], None]
    ) -> None:
        """Give the module each file that it asks for, and hear it to its end.

        Args:
            files: once it begins to ask, they are read; not before.
            passed: told of the length of each piece that the module has taken [B].

        Raises:
            TurnedAway: it began to read, and ended or turned away before it had read all.
            ArtifactError: a file is damaged.
            ProgramError: its time is over.
        """
        while self._answer(module, files, passed):
            pass
        self._next.unlink(missing_ok=True)
        module.finish()

    def _answer(
        self, module: Supervised, files: Iterator[PayloadFile], passed: Callable[[int], None]
    ) -> bool:
        """Wait until it asks, and give it one file; False if it asks no more, or knows the end."""
        with _open(self._next, module) as pipe:
            if pipe is None and self.has_begun:
                raise TurnedAway(f"{_end_of(module)} before it had asked for all files")
            if pipe is None:
                return False
            self.has_begun = True
            file = next(files, None)
            if file is None:
                return False  # what it reads then is empty
            stream = self._folder / file.name
            os.mkfifo(stream, 0o600)
            size = f" {file.size}" if self._has_sizes else ""
            _write(pipe, f"streams/{file.name}{size}\n".encode(), module, "stream-next")
        with _open(stream, module) as pipe:
            if pipe is None:
                raise TurnedAway(f"{_end_of(module)}, and did not read streams/{file.name}")
            for chunk in file.chunks():
                _write(pipe, chunk, module, f"streams/{file.name}")
                passed(len(chunk))
        stream.unlink()
        return True


@contextmanager
def _open(fifo: Path, module: Supervised) -> Iterator[int | None]:
    """A pipe that the module reads, never blocking; None if the module ended instead."""
    pipe = None
    look, most = _LOOKS
    while pipe is None and module.code is None:
        try:
            pipe = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO:  # Source: fifo(7): nobody reads it
                raise
            module.tend(look)
            look = min(2 * look, most)
    try:
        yield pipe
    finally:
        if pipe is not None:
            os.close(pipe)


def _write(pipe: int, data: bytes, module: Supervised, name: str) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(pipe, view) :]
        except BlockingIOError:
            if module.code is not None:  # a process that it left behind holds the pipe
                raise TurnedAway(f"{_end_of(module)}, and did not read {name} to its end") from None
            module.tend(until_writable=pipe)
        except BrokenPipeError:
            raise TurnedAway(f"{_end_of(module)}, and did not read {name} to its end") from None


def _end_of(module: Supervised) -> str:
    """How it ended, if it does so soon, now that it has turned away."""
    for _ in range(_TRIES):
        if module.code is not None:
            return f"it ended with exit code {module.code}"
        module.tend(_LOOKS[-1])
    return "it turned away"
