# SPDX-License-Identifier: Apache-2.0
"""An environment in a plain file: for tests, and for trying the agent where no bootloader is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ota_agent.durable import replace_file
from ota_agent.errors import EnvironmentFault


@dataclass(frozen=True, slots=True)
class File:
    """Lines of ``name=value``; replaced as a whole."""

    path: Path

    def read(self) -> dict[str, str]:
        """All variables. See `Bootloader.read`."""
        try:
            lines = self.path.read_bytes().decode("utf-8", "replace").split("\n")
        except OSError as error:
            raise EnvironmentFault(f"{self.path}: {error.strerror}") from error
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def write(self, changes: Mapping[str, str], *, is_final: bool = False) -> None:
        """Change variables. See `Bootloader.write`."""
        self.restore({**self.read(), **changes})

    def is_whole(self) -> bool:
        """Whether it is there. See `Bootloader.is_whole`."""
        return self.path.exists()

    def restore(self, variables: Mapping[str, str]) -> bool:
        """Write it afresh. See `Bootloader.restore`."""
        try:
            replace_file(self.path, _lines(variables), mode=0o644)
        except OSError as error:
            raise EnvironmentFault(f"{self.path}: {error.strerror}") from error
        return True

    def findings(self) -> list[str]:
        """Why an update must not stand on it. See `Bootloader.findings`."""
        try:
            self.read()
        except EnvironmentFault as error:
            return [str(error)]
        return []


def _lines(values: Mapping[str, str]) -> Iterator[bytes]:
    return (f"{name}={value}\n".encode() for name, value in values.items() if value)
