# SPDX-License-Identifier: Apache-2.0
"""The bootloaders' environments, all behind one small interface."""

from collections.abc import Mapping
from typing import Protocol


class Bootloader(Protocol):
    """The variables that the bootloader and Linux share."""

    def read(self) -> dict[str, str]:
        """All variables.

        Raises:
            EnvironmentFault: there is no valid copy, or none where it should be.
        """
        ...

    def write(self, changes: Mapping[str, str], *, is_final: bool = False) -> None:
        """Change variables, all or none of them, and prove that they are there.

        Args:
            changes: an empty value takes the variable away.
            is_final: all copies hold them afterwards, so that none can bring the old ones back.

        Raises:
            EnvironmentFault: what is there afterwards is something else.
            ProgramError: a program is missing or fails.
        """
        ...

    def is_whole(self) -> bool:
        """Whether each copy is valid and up to date; a final change makes those so that are not."""
        ...

    def restore(self, variables: Mapping[str, str]) -> bool:
        """Write all copies afresh if none is valid; False: Linux cannot do that.

        Raises:
            EnvironmentFault: what is there afterwards is something else.
            ProgramError: a program is missing or fails.
        """
        ...

    def findings(self) -> list[str]:
        """Why an update must not stand on it, each with its remedy; empty: it may."""
        ...
