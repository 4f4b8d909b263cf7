# SPDX-License-Identifier: Apache-2.0
"""GRUB's environment: two files with a lock each, written in place, one after the other.

The files are those of `ota_artifact.grub_block`; GRUB finds them by their sectors, so that they are
overwritten and never replaced. A copy that was damaged gets all of its files again.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ota_agent.bootloader.contract import is_trial
from ota_agent.bootloader.in_place import create, overwrite
from ota_agent.errors import EnvironmentFault
from ota_artifact.contract import PART
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.grub_block import (
    COPIES,
    FILES,
    LAST,
    LOCK,
    LOCKED,
    STATE,
    SUM,
    decode_block,
    decode_copy,
    encode_block,
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
            f"{self.folder}: neither copy of GRUB's environment is whole; restart the agent, or"
            " install an update: it writes both for the slot that runs"
        )

    def write(self, changes: Mapping[str, str], *, is_final: bool = False) -> None:
        """Change variables in both copies, the second first. See `Bootloader.write`.

        A copy is locked while it is written, so that a cut leaves one that is whole: the old one
        before the second is done, the new one from then on.
        """
        with self._alone():
            self._write({**self.read(), **changes})
            found = self.read()
        wrong = [name for name, value in changes.items() if found.get(name, "") != value]
        if wrong:
            raise EnvironmentFault(
                f"{self.folder}: {', '.join(wrong)} did not change; is the device write-protected?"
            )

    def is_whole(self) -> bool:
        """Whether both copies are, and GRUB's note. See `Bootloader.is_whole`."""
        return None not in [self._copy(copy) for copy in COPIES] and self._has_note()

    def restore(self, variables: Mapping[str, str]) -> bool:
        """Write both copies afresh, with files that are missing. See `Bootloader.restore`."""
        if not (self.folder / COPIES[0]).is_dir() and not (self.folder / COPIES[1]).is_dir():
            raise EnvironmentFault(
                f"{self.folder}: has no copy of GRUB's environment; is the boot partition mounted"
                " there?"
            )
        with self._alone():
            if all(self._copy(copy) is None for copy in COPIES):
                self._write(variables)
            self.read()
        return True

    def findings(self) -> list[str]:
        """Why an update must not stand on it. See `Bootloader.findings`.

        One copy that is not whole is repaired by the next change, which comes before the update.
        """
        try:
            self.read()
        except EnvironmentFault as error:
            return [str(error)]
        return []

    def _write(self, variables: Mapping[str, str]) -> None:
        try:
            files = encode_copy({name: value for name, value in variables.items() if value})
        except ArtifactError as error:
            raise EnvironmentFault(f"{self.folder}: {error}") from error
        for copy in reversed(COPIES):
            self._put(f"{copy}/{LOCK}", LOCKED)
            self._put(f"{copy}/{STATE}", files[STATE])
            self._put(f"{copy}/{SUM}", files[SUM])
            self._put(f"{copy}/{LOCK}", files[LOCK])
        part = variables.get(PART, "")
        if part.isdecimal() and not self._has_note() and not is_trial(variables):
            self._put(LAST, encode_block({LAST: part}))

    def _has_note(self) -> bool:
        """Whether GRUB can write its note of what runs; an older image has no place for one."""
        try:
            return decode_block((self.folder / LAST).read_bytes()) is not None
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def _copy(self, name: str) -> dict[str, str] | None:
        """The variables of a copy; None if it is damaged, or was being written."""
        try:
            lock = (self.folder / name / LOCK).read_bytes()
            total = (self.folder / name / SUM).read_bytes()
            block = (self.folder / name / STATE).read_bytes()
        except OSError:
            return None
        return decode_copy(block, lock) if is_sum(total, lock) else None

    def _put(self, name: str, data: bytes) -> None:
        """Have a file hold these bytes, in place if it is as long; it is on the disk afterwards."""
        path = self.folder / name
        try:
            found = path.read_bytes() if path.exists() else None
            if found == data:
                return
            if found is not None and len(found) == len(data):
                overwrite(path, data)
            else:
                create(path, data, FILES if path.parent.name in COPIES else ())
        except (OSError, ProgramError) as error:
            raise EnvironmentFault(
                f"{path}: {error}; is the boot partition mounted, and not write-protected?"
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
