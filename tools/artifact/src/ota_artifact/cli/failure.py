# SPDX-License-Identifier: Apache-2.0
"""Exit codes, those of mender-artifact 4, and the errors that the command line itself raises."""

from enum import IntEnum


class Exit(IntEnum):
    """What the shell gets. Source: mender-artifact 4.4, observed; 3.x swaps 3 and 4."""

    DONE = 0
    WRONG = 1
    """Wrong options, and every failure without its own code."""
    VERSION = 2
    """The format version is not supported."""
    CREATE = 3
    """The output cannot be created, or is larger than allowed."""
    OPEN = 4
    """The input cannot be opened."""
    INVALID = 5
    """`validate` and `dump`: the artifact is invalid."""
    FEATURE = 6
    """The artifact needs a feature that is not supported."""
    SYSTEM = 7
    """The system fails: no space, a missing program."""
    INTERRUPTED = 130


class Failure(Exception):
    """Ends the command with its own code.

    Attributes:
        code: what the shell gets.
    """

    def __init__(self, text: str, code: Exit = Exit.WRONG) -> None:
        super().__init__(text)
        self.code = code
