# SPDX-License-Identifier: Apache-2.0
"""GRUB's environment: two files with a lock each, written in place, one after the other.

The files are those of `ota_artifact.grub_block`; GRUB finds them by their sectors, so that they are
overwritten and never replaced.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ota_agent.errors import EnvironmentFault
from ota_artifact.errors import ArtifactError
from ota_artifact.grub_block import (
    BLOCK,
    COPIES,
    LOCK,
    LOCKED,
    STATE,
    SUM,
    decode_copy,
    encode_copy,
    is_sum,
)

_PATIENCE, _PAUSE = 30.0, 0.1  # [s] for another program that writes
_FOLDER = re.compile(r"^\s*ENV_DIR\s*=\s*[\"']?([^\"'\n]*?)[\"']?\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Grub:
    """GRUB's environment.

    Attributes:
        folder: has ``mender_grubenv1`` and ``mender_grubenv2``.
    """

    folder: Path

    def read(self) -> dict[str, str]:
        """All variables, of the first copy that is whole. See `Bootloader.read`."""
        for copy in COPIES:
            found = self._copy(copy)
            if found is not None:
                return found
        raise EnvironmentFault(
            f"{self.folder}: neither copy of GRUB's environment is whole; put the files of"
            " another device with the same layout there"
        )

    def write(self, changes: Mapping[str, str], *, is_final: bool = False) -> None:
        """Change variables in both copies, the second first. See `Bootloader.write`.

        A copy is locked while it is written, so that a cut leaves one that is whole: the old one
        before the second is done, the new one from then on.
        """
        with self._alone():
            variables = {**self.read(), **changes}
            try:
                files = encode_copy({name: value for name, value in variables.items() if value})
            except ArtifactError as error:
                raise EnvironmentFault(f"{self.folder}: {error}") from error
            for copy in reversed(COPIES):
                self._overwrite(f"{copy}/{LOCK}", LOCKED)
                self._overwrite(f"{copy}/{STATE}", files[STATE])
                self._overwrite(f"{copy}/{SUM}", files[SUM], is_whole=False)
                self._overwrite(f"{copy}/{LOCK}", files[LOCK])
            found = self.read()
        wrong = [name for name, value in changes.items() if found.get(name, "") != value]
        if wrong:
            raise EnvironmentFault(
                f"{self.folder}: {', '.join(wrong)} did not change; is the device write-protected?"
            )

    def findings(self) -> list[str]:
        """Why an update must not stand on it. See `Bootloader.findings`."""
        broken = [copy for copy in COPIES if self._copy(copy) is None]
        if len(broken) == len(COPIES):
            return [
                f"{self.folder}: neither copy of GRUB's environment is whole; is the boot partition"
                " mounted there?"
            ]
        found = [
            f"{self.folder}/{copy}: is damaged or locked: a power cut would lose the other one too;"
            " the next change repairs it, if the file is there with its 1024 B"
            for copy in broken
            if not self._can_be_written(copy)
        ]
        if not os.access(self.folder, os.W_OK):
            found.append(f"{self.folder}: cannot be written; mount the boot partition rw")
        return found

    def _copy(self, name: str) -> dict[str, str] | None:
        """The variables of a copy; None if it is damaged, or was being written."""
        try:
            lock = (self.folder / name / LOCK).read_bytes()
            total = (self.folder / name / SUM).read_bytes()
            block = (self.folder / name / STATE).read_bytes()
        except OSError:
            return None
        return decode_copy(block, lock) if is_sum(total, lock) else None

    def _can_be_written(self, name: str) -> bool:
        folder = self.folder / name
        try:
            return (folder / STATE).stat().st_size == (folder / LOCK).stat().st_size == BLOCK
        except OSError:
            return False

    def _overwrite(self, name: str, data: bytes, *, is_whole: bool = True) -> None:
        """Write a file in place; it is on the disk afterwards.

        Args:
            is_whole: it has that size already, or it is not one of GRUB's.
        """
        path = self.folder / name
        try:
            file = os.open(
                path, os.O_WRONLY | os.O_CLOEXEC | (0 if is_whole else os.O_CREAT), 0o644
            )
            try:
                if is_whole and os.fstat(file).st_size != len(data):
                    raise EnvironmentFault(
                        f"{path}: is not {len(data)} B long, so it is not GRUB's"
                    )
                os.pwrite(file, data, 0)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise EnvironmentFault(
                f"{path}: {error.strerror}; is the boot partition mounted rw?"
            ) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile."""
        try:
            folder = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise EnvironmentFault(f"{self.folder}: {error.strerror}") from error
        try:
            end = time.monotonic() + _PATIENCE
            while not _locked(folder):
                if time.monotonic() > end:
                    raise EnvironmentFault(
                        f"{self.folder}: another program has it locked for {_PATIENCE:g} s; end it"
                    )
                time.sleep(_PAUSE)
            yield
        finally:
            os.close(folder)


def _locked(folder: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_grub(configuration: Path) -> Grub:
    """GRUB's environment, where /etc/mender_grubenv.config says.

    Raises:
        EnvironmentFault: the file is missing, or says nothing.
    """
    try:
        match = _FOLDER.search(configuration.read_text("utf-8", "replace"))
    except OSError as error:
        raise EnvironmentFault(f"{configuration}: {error.strerror}") from error
    if match is None or not match[1]:
        raise EnvironmentFault(f"{configuration}: has no ENV_DIR; write ENV_DIR = <folder>")
    return Grub(Path(match[1]))
