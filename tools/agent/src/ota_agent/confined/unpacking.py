# SPDX-License-Identifier: Apache-2.0
"""The agent's side of a process that unpacks: feeds it, and takes what it gives, with mistrust."""

import fcntl
import logging
import mmap
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from ota_agent.confined.child import (
    BEGUN,
    BUFFERS,
    DAMAGED,
    DATA,
    END,
    MEMORY,
    NOWHERE,
    RECORD,
    UNSUPPORTED,
)
from ota_agent.errors import AgentError
from ota_artifact.compression import Codec, Decompressing, Decompressor, Restart, restarts
from ota_artifact.errors import ArtifactError, UnsupportedFeature
from ota_artifact.start import start_bare
from ota_artifact.unpack import PIECE

logger = logging.getLogger(__name__)

USER = "ota-unpack"
"""Whom the process becomes; on a system without this user, the one with the number of nobody."""

_NOBODY = 65534  # Source: Linux, Documentation/admin-guide/sysctl/fs.rst, overflowuid
_MEMORY = 256 << 20  # [B] for Python, and `MEMORY_LIMIT` of a decompressor
_SECONDS = 7200  # [s] of CPU: an artifact of 4 GiB takes the slowest board less than half of it
_SILENCE = 120.0  # [s] for 64 KiB of input, or a buffer of output
_LOOK = 250  # [ms] of a wait, until it looks whether to continue
_GRACE = 1.0  # [s] from the end of its output to its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """Makes the processes that unpack, as `Decompress` wants it.

    Attributes:
        check: called while one is waited for, four times a second; raises to end the wait.
        silence: how long one may do nothing [s].
        memory: addresses that one may use [B].
        seconds: of CPU that one may use [s].
    """

    check: Callable[[], None] = lambda: None
    silence: float = _SILENCE
    memory: int = _MEMORY
    seconds: int = _SECONDS
    _running: "set[_Process]" = field(default_factory=set, init=False, repr=False)

    def close(self) -> None:
        """End those that still run, as after an error whose traceback is kept."""
        for each in tuple(self._running):
            each.end()

    def __call__(self, codec: Codec, name: str, start: Restart) -> Decompressing:
        """See `Decompress`; what is not compressed needs no process."""
        if codec is Codec.NONE:
            return Decompressor(codec, name, start)
        return Unpacking(self, codec, name, start)


class Unpacking:
    """A stream that another process unpacks. See `Decompressor`."""

    def __init__(self, options: Confined, codec: Codec, name: str, start: Restart) -> None:
        self._options, self._codec, self._name, self._start = options, codec, name, start
        self.restart = start

    def run(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """See `Decompressor`; the process ends with this iterator.

        Raises:
            ArtifactError: the data is damaged, truncated, or needs too much memory.
            UnsupportedFeature: a library is not installed.
            AgentError: the process cannot be started, ended, or does what it should not.
        """
        with _Process(self._options, self._codec, self._name) as process:
            for piece, restart in restarts(process.pieces(chunks), self._start):
                self.restart = restart
                if piece:
                    yield piece


class _Process:
    """The process, while it runs."""

    def __init__(self, options: Confined, codec: Codec, name: str) -> None:
        self._options, self._name = options, name
        self._pending = memoryview(b"")
        self._fed = self._boundary = self._number = 0
        self._has_begun = False
        try:
            self._start(codec)
        except OSError as error:
            raise AgentError(
                f"{name}: no process can be started to unpack it: {error.strerror}; is there"
                " memory left?"
            ) from error

    def _start(self, codec: Codec) -> None:
        with ExitStack() as stack:
            memory = _make_memory()
            stack.callback(os.close, memory)
            self._memory = memoryview(mmap.mmap(memory, PIECE * BUFFERS))
            back, self._give_back = os.pipe()
            stack.callback(os.close, back)
            limits = (memory, back, _user(), self._options.memory, self._options.seconds)
            words = (*map(str, limits), codec.value, self._name)
            try:
                self._process = start_bare("ota_agent.confined.child", words, keep=(memory, back))
            except BaseException:
                os.close(self._give_back)
                raise
        self._input = cast(BinaryIO, self._process.stdin).fileno()
        self._output = cast(BinaryIO, self._process.stdout).fileno()
        for each in (self._input, self._output):
            os.set_blocking(each, False)
        self._ready = select.poll()
        self._ready.register(self._output, select.POLLIN)
        self._options._running.add(self)

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End it, if it has not ended."""
        if self not in self._options._running:
            return
        self._options._running.discard(self)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            cast(BinaryIO, pipe).close()
        os.close(self._give_back)

    def pieces(self, chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int | None]]:
        """What it gives, with the boundary at its end if there is one, for what it is fed."""
        self._ready.register(self._input, select.POLLOUT)
        record, since = b"", time.monotonic()
        while True:
            with suppress(BlockingIOError):
                record += self._read(RECORD - len(record))
                if len(record) == RECORD:
                    kind, piece, boundary = self._taken(record)
                    record = b""
                    if kind == END:
                        return
                    if kind == DATA:
                        yield piece, boundary
                    since = time.monotonic()
                    continue
            ready = {number for number, _ in self._ready.poll(_LOOK)}
            if ready == {self._input}:
                self._feed(chunks)
                since = time.monotonic()
            elif not ready:
                self._options.check()
                if time.monotonic() - since > self._options.silence:
                    raise self._fault(f"did nothing for {self._options.silence:g} s, and was ended")

    def _feed(self, chunks: Iterator[bytes]) -> None:
        """Give it as much as its pipe holds, or less."""
        if not self._pending:
            chunk = next(chunks, None)
            if chunk is None:
                self._end_input()
                return
            self._pending = memoryview(chunk)
        try:
            count = os.write(self._input, self._pending)
        except BlockingIOError:
            return
        except BrokenPipeError:  # it has ended, and its last words say why
            self._end_input()
            return
        self._pending, self._fed = self._pending[count:], self._fed + count

    def _end_input(self) -> None:
        self._ready.unregister(self._input)
        cast(BinaryIO, self._process.stdin).close()

    def _read(self, size: int) -> bytes:
        data = os.read(self._output, size)
        if not data:
            raise self._died()
        return data

    def _taken(self, record: bytes) -> tuple[bytes, bytes, int | None]:
        """What a record says, and the bytes, which are now ours alone."""
        kind, size = record[:1], int.from_bytes(record[1:5], "little")
        boundary = int.from_bytes(record[5:], "little", signed=True)
        if size > PIECE:
            raise self._fault(f"gives {size} B at once")
        at = self._number % BUFFERS * PIECE
        data = bytes(self._memory[at : at + size])
        self._number += 1
        with suppress(BrokenPipeError):
            os.write(self._give_back, b"+")
        if not self._has_begun and kind not in (BEGUN, UNSUPPORTED, MEMORY):
            raise self._fault("gives bytes before it is confined")
        match kind:
            case _ if kind == DATA:
                return kind, data, self._checked(boundary, size)
            case _ if kind == END:
                if self._pending or self._ready_for_more():
                    raise self._fault("ends before its input does")
                return kind, b"", None
            case _ if kind == BEGUN and not self._has_begun:
                self._has_begun = True
                self._tell(data.decode("utf-8", "replace"))
                return kind, b"", None
        raise self._error(kind, data.decode("utf-8", "replace"))

    def _ready_for_more(self) -> bool:
        return not cast(BinaryIO, self._process.stdin).closed

    def _checked(self, boundary: int, size: int) -> int | None:
        """A boundary that can be: it is in what was fed, and after the last one."""
        if boundary == NOWHERE and size:
            return None
        if not self._boundary < boundary <= self._fed:
            raise self._fault(f"sees a boundary at {boundary} of {self._fed} B")
        self._boundary = boundary
        return boundary

    def _tell(self, lacking: str) -> None:
        if lacking:
            logger.warning(
                "%s: the process that unpacks it is less confined than it could be: %s",
                self._name,
                lacking,
            )

    def _error(self, kind: bytes, text: str) -> Exception:
        if kind == DAMAGED:
            return ArtifactError(text)
        if kind == UNSUPPORTED:
            return UnsupportedFeature(text)
        if kind == MEMORY:
            return ArtifactError(
                f"{self._name}: needs more than {self._options.memory >> 20} MiB to be unpacked;"
                " write it with a smaller window"
            )
        return self._fault(f"says {kind!r}")

    def _died(self) -> AgentError:
        end = time.monotonic() + _GRACE
        while (code := self._process.poll()) is None and time.monotonic() < end:
            time.sleep(0.01)
        if code == -signal.SIGXCPU:
            return self._fault(f"took more than {self._options.seconds} s of CPU, and was ended")
        if code is not None and code < 0:
            return self._fault(f"was killed by signal {-code}; was there too little memory?")
        return self._fault(f"ended with exit code {code}")

    def _fault(self, finding: str) -> AgentError:
        return AgentError(
            f"{self._name}: the process that unpacks it {finding}; install the artifact again"
        )


def _make_memory() -> int:
    """File descriptor of the buffers, which nobody can make shorter: reading them would kill us."""
    memory = os.memfd_create("ota-unpack", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory, PIECE * BUFFERS)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(memory)
        raise
    return memory


def _user() -> int:
    """The number of `USER`."""
    import pwd

    try:
        return pwd.getpwnam(USER).pw_uid
    except (KeyError, OSError):
        return _NOBODY
