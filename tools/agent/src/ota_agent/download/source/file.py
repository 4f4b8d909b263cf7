# SPDX-License-Identifier: Apache-2.0
"""An artifact in a file, or on standard input."""

import os
import stat
from pathlib import Path

from ota_agent.address import Address
from ota_agent.errors import AgentError

_STDIN = 0


class FileSource:
    """An artifact on this device, read once from its start to its end.

    Attributes:
        size: None for a pipe [B].
        offset: how far it was read [B].
        received: nothing of it comes through a network.
        spent: and nothing of the time that a download may take.
        is_whole: nothing of it can have been lost on the way.

    Args:
        place: a path, or ``-`` for standard input.

    Raises:
        AgentError: it cannot be read, or is a folder or a device.
    """

    received = 0
    spent = 0.0
    is_whole = True

    def __init__(self, place: Address) -> None:
        self._own = place.full != "-"
        self._place = str(place) if self._own else "standard input"
        try:
            self._file = os.open(place.full, os.O_RDONLY | os.O_CLOEXEC) if self._own else _STDIN
            status = os.fstat(self._file)
        except OSError as error:
            raise AgentError(
                f"{place}: {error.strerror}; name an artifact: a path, or a URL with https://"
            ) from error
        if stat.S_ISDIR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            self.close()
            raise AgentError(f"{self._place}: is a folder or a disk; name the artifact in it")
        self._is_regular = stat.S_ISREG(status.st_mode)
        self._begin = os.lseek(self._file, 0, os.SEEK_CUR) if self._is_regular else 0
        self.size: int | None = status.st_size - self._begin if self._is_regular else None
        self.offset = 0

    @property
    def can_rewind(self) -> bool:
        """Whether it can be read once more: a pipe cannot."""
        return self._is_regular

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes [B], ``b""`` at the end.

        Raises:
            AgentError: the medium fails.
        """
        try:
            data = os.read(self._file, size)
        except OSError as error:
            raise AgentError(
                f"{self._place}: {error.strerror} at byte {self.offset}; is the medium damaged, or"
                " was it taken out?"
            ) from error
        self.offset += len(data)
        return data

    def skip(self, size: int, /) -> None:
        """Pass over ``size`` bytes [B]."""
        if self._is_regular:
            self.offset += size
            os.lseek(self._file, self._begin + self.offset, os.SEEK_SET)
            return
        while size and (data := self.read(min(size, 1 << 18))):
            size -= len(data)

    def rewind(self) -> None:
        """Begin again at byte 0."""
        os.lseek(self._file, self._begin, os.SEEK_SET)
        self.offset = 0

    def close(self) -> None:
        """Let go of it."""
        if self._own:
            os.close(self._file)


def is_path(source: str) -> bool:
    """Whether it names a file and not a URL."""
    return "://" not in source or Path(source).exists()
