# SPDX-License-Identifier: Apache-2.0
"""The files that a command reads and writes, with ``-`` for the standard streams."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.errors import ArtifactError, about
from ota_artifact.output import is_stdout, replacing
from ota_artifact.stream import Readable


@contextmanager
def opened(name: str, code: Exit = Exit.OPEN) -> Iterator[BinaryIO]:
    """The unbuffered file of that name, or stdin for ``-``.

    Raises:
        Failure: it cannot be opened; with the given code.
        ArtifactError: it is a directory.
    """
    if name == "-":
        with about("stdin"), io.FileIO(0, "rb", closefd=False) as stdin:
            yield cast(BinaryIO, stdin)
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open("rb", buffering=0))
        except IsADirectoryError as error:
            raise ArtifactError(f"{name}: is a directory; name a file") from error
        except OSError as error:
            raise Failure(f"{name}: cannot be opened: {error.strerror}", code) from error
        with about(name):
            yield cast(BinaryIO, file)


@contextmanager
def created(name: str) -> Iterator[BinaryIO]:
    """An unbuffered file that appears under that name if the block ends well; stdout for ``-``.

    Raises:
        Failure: it cannot be created.
    """
    if name == "-" or is_stdout(Path(name)):
        if sys.stdout.isatty():
            raise Failure("-: stdout is a terminal; redirect it, or name a file with -o")
        sys.stdout.flush()
        with named("stdout or $TMPDIR"), io.FileIO(1, "wb", closefd=False) as stdout:
            yield cast(BinaryIO, stdout)
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(replacing(Path(name)))
        except OSError as error:
            raise Failure(f"{name}: cannot be created: {error.strerror}", Exit.CREATE) from error
        with named(name):
            yield file


@contextmanager
def named(name: str) -> Iterator[None]:
    """Add this name to system errors that have none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or name
        raise


def refuse_inputs(output: str, inputs: Iterable[str | Path | None]) -> None:
    """Fail if the output would overwrite one of the inputs.

    Raises:
        Failure: it would.
    """
    for each in inputs:
        with suppress(OSError):  # a missing file cannot be lost
            if each and output != "-" and Path(output).samefile(each):
                raise Failure(
                    f"{output}: is an input and would be overwritten; name another output"
                )


class Counted:
    """A stream that reports how far it has been read.

    Args:
        tell: called with the bytes read, and their total [B].
    """

    def __init__(self, stream: BinaryIO, tell: Callable[[int, int], None]) -> None:
        self._stream = stream
        self._tell = tell
        self._done = 0
        self._total = os.fstat(stream.fileno()).st_size

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._done += len(data)
        self._tell(self._done, self._total)
        return data


def counted(stream: BinaryIO, tell: Callable[[int, int], None] | None) -> Readable:
    """The stream, counted if there is a function to tell."""
    return Counted(stream, tell) if tell else stream
