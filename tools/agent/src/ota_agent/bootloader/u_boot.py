# SPDX-License-Identifier: Apache-2.0
"""U-Boot's environment, through libubootenv's fw_printenv and fw_setenv."""

import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ota_agent.bootloader.contract import is_elsewhere
from ota_agent.errors import EnvironmentFault
from ota_artifact.contract import CANARY
from ota_artifact.errors import ProgramError
from ota_artifact.names import shown
from ota_artifact.run import run

_TIMEOUT = 60.0  # [s] a card that is slow to write
_CRC = 4  # [B]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy of the environment is.

    Attributes:
        device: a file or a block device.
        offset: in it [B].
        size: of the copy [B].
    """

    device: str
    offset: int
    size: int

    def read(self) -> bytes:
        """What is there.

        Raises:
            OSError: it cannot be read.
        """
        with Path(self.device).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True, slots=True)
class UBoot:
    """U-Boot's environment.

    Attributes:
        configuration: where fw_env.config is.
        offsets: where the board has the copies [B]; empty if that is not known.
    """

    configuration: Path
    offsets: tuple[int, ...] = ()

    def read(self) -> dict[str, str]:
        """All variables. See `Bootloader.read`."""
        try:
            said = run(("fw_printenv", "-c", self.configuration), timeout=_TIMEOUT)
        except ProgramError as error:
            raise EnvironmentFault(
                f"{self.configuration}: U-Boot's environment cannot be read ({error});"
                " no copy is valid, or it names the wrong place"
            ) from error
        lines = said.decode("utf-8", "replace").split("\n")  # others may be part of a value
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def write(self, changes: Mapping[str, str], *, is_final: bool = False) -> None:
        """Change variables in one write. See `Bootloader.write`.

        A write goes to the copy that is older, so that one write leaves the old variables in the
        other: if that one is taken some day, they are back.
        """
        for name, value in changes.items():
            if "\n" in value or "=" in name or not name:
                raise EnvironmentFault(f"{name!r}={value!r}: cannot be a variable of U-Boot")
        script = "".join(f"{name}={value}\n" for name, value in changes.items()).encode()
        for _ in range(2 if is_final else 1):
            words = ("fw_setenv", "-c", self.configuration, "-s", "-")
            run(words, timeout=_TIMEOUT, stdin=script)
        found = self.read()
        wrong = [name for name, value in changes.items() if found.get(name, "") != value]
        if wrong:
            raise EnvironmentFault(
                f"{self.configuration}: fw_setenv has not changed {', '.join(wrong)};"
                " is the device write-protected?"
            )

    def is_whole(self) -> bool:
        """Whether both copies are valid, and say the same. See `Bootloader.is_whole`.

        A commit that was cut off between its two writes leaves the trial in the other copy.
        """
        try:
            copies = [each.read() for each in self.places()]
        except OSError:
            return True  # others say what cannot be read
        are_valid = all(judged(each) == "redundant" for each in copies)
        return are_valid and len({_content(each) for each in copies}) == 1

    def restore(self, variables: Mapping[str, str]) -> bool:
        """False: a copy holds more than Linux knows; U-Boot writes its own at the next boot."""
        return False

    def findings(self) -> list[str]:
        """Why an update must not stand on it. See `Bootloader.findings`."""
        try:
            places = self.places()
            variables = self.read()
        except EnvironmentFault as error:
            return [str(error)]
        found = []
        if len(places) < 2:
            found.append(
                f"{self.configuration}: names one copy of the environment, and a power cut while it"
                " is written loses it; give U-Boot a redundant one, and name both"
            )
        offsets = tuple(each.offset for each in places)
        if self.offsets and sorted(offsets) != sorted(self.offsets):
            found.append(
                f"{self.configuration}: points at {_hex(offsets)}, but this board keeps its"
                f" environment at {_hex(self.offsets)}; correct the offsets"
            )
        if is_elsewhere(variables):
            found.append(
                f"{CANARY} is not set: U-Boot has never saved what is read here: it uses"
                " another environment; compare U-Boot's CONFIG_ENV_OFFSET with"
                f" {self.configuration}"
            )
        return found

    def places(self) -> tuple[Place, ...]:
        """The copies, as fw_env.config names them. Source: libubootenv, its README.

        Raises:
            EnvironmentFault: the file is missing, or a line is not a place.
        """
        try:
            lines = self.configuration.read_text("utf-8", "replace").splitlines()
        except OSError as error:
            raise EnvironmentFault(f"{self.configuration}: {error.strerror}") from error
        found = []
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            try:
                device, offset, size = words[0], int(words[1], 0), int(words[2], 0)
            except (IndexError, ValueError) as error:
                raise EnvironmentFault(
                    f"{self.configuration}:{number}: is not 'DEVICE OFFSET SIZE': {shown(line)}"
                ) from error
            found.append(Place(device, offset, size))
        return tuple(found)


def judged(raw: bytes) -> Literal["redundant", "single", "empty", "damaged"]:
    """What a copy is: valid with a counter, valid without, never written, or none of these.

    Source: U-Boot, include/env_internal.h, env_t.
    """
    total = int.from_bytes(raw[:_CRC], sys.byteorder)
    if len(raw) > _CRC and zlib.crc32(raw[_CRC + 1 :]) == total:
        return "redundant"
    if len(raw) > _CRC and zlib.crc32(raw[_CRC:]) == total:
        return "single"
    return "damaged" if raw.strip(b"\0") and raw.strip(b"\xff") else "empty"


def _content(raw: bytes) -> frozenset[bytes]:
    """The variables of a valid copy, in any order."""
    return frozenset(raw[_CRC + 1 :].partition(b"\0\0")[0].split(b"\0"))


def _hex(offsets: tuple[int, ...]) -> str:
    return ", ".join(f"{each:#x}" for each in offsets)
