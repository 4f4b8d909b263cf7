# SPDX-License-Identifier: Apache-2.0
"""What the process does: unpacks what it reads on stdin into memory that the agent has as well.

Imports little, and nothing once it has given its rights up.
"""

import mmap
import posix

from ota_agent.confined.rights import give_up
from ota_artifact.unpack import PIECE, Damaged, Unsupported, unpacker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BUFFERS = 2
"""Each of `PIECE`; one is filled while the agent takes the other one."""

RECORD = 13
"""Length of a record [B]: what it is, the length of what is in the buffer, and a boundary."""

BEGUN, DATA, DAMAGED, UNSUPPORTED, MEMORY, END = b"b", b"d", b"x", b"u", b"m", b"e"
"""What a record says. The buffer has bytes with `DATA`, and otherwise a text."""

NOWHERE = -1
"""The boundary of a record without one."""

_STDIN, _STDOUT = 0, 1
_READ = 1 << 16  # [B] of stdin at once: as much as a pipe holds
_MOST = 1 << 16  # [B] unpacked at once: more costs memory, and less costs time
_TEXT = 4000  # [B]


class Output:
    """Fills buffers, and has the agent take one after the other.

    Args:
        memory: file descriptor of the buffers.
        back: gives a byte for each buffer that the agent has taken.
    """

    def __init__(self, memory: int, back: int) -> None:
        self._memory = memoryview(mmap.mmap(memory, PIECE * BUFFERS))
        self._back = back
        self._number = self._used = 0
        self._is_ours = True

    def put(self, data: bytes) -> None:
        """Add bytes; full buffers go to the agent."""
        if self._used + len(data) > PIECE:
            self.flush(DATA)
        if not self._is_ours:
            posix.read(self._back, 1)
            self._is_ours = True
        at = self._number % BUFFERS * PIECE + self._used
        self._memory[at : at + len(data)] = data
        self._used += len(data)

    def flush(self, kind: bytes, boundary: int = NOWHERE) -> None:
        """Give what is in the buffer to the agent."""
        if not self._used:
            self.put(b"")
        size, place = self._used.to_bytes(4, "little"), boundary.to_bytes(8, "little", signed=True)
        posix.write(_STDOUT, kind + size + place)
        self._number, self._used = self._number + 1, 0
        self._is_ours = self._number < BUFFERS

    def say(self, kind: bytes, text: str = "") -> None:
        """Tell the agent something, after all that it is to have before."""
        if self._used:
            self.flush(DATA)
        self.put(text.encode("utf-8", "replace")[:_TEXT])
        self.flush(kind)


def main(words: list[str]) -> None:
    """Unpack stdin to its end.

    Args:
        words: descriptors of the buffers and of what gives them back, the user to become, the
            limits of memory [B] and CPU [s], the codec's suffix, and the stream's name.
    """
    memory, back, user, most, seconds = map(int, words[:5])
    suffix, name = words[5:]
    code = 1
    try:
        output = Output(memory, back)
        try:
            unpack = unpacker(suffix, name, _MOST)
            output.say(BEGUN, give_up(user, memory=most, seconds=seconds))
            _copy(unpack(_stdin(), name), output)
            output.say(END)
        except MemoryError:
            output.say(MEMORY)
        except Damaged as error:
            output.say(DAMAGED, str(error))
        except Unsupported as error:
            output.say(UNSUPPORTED, str(error))
        code = 0
    finally:
        posix._exit(code)


def _copy(pieces: "Iterator[tuple[bytes, int | None]]", output: Output) -> None:
    for piece, boundary in pieces:
        output.put(piece)
        if boundary is not None:
            output.flush(DATA, boundary)


def _stdin() -> "Iterator[bytes]":
    while data := posix.read(_STDIN, _READ):
        yield data
