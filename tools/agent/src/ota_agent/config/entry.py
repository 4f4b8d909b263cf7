# SPDX-License-Identifier: Apache-2.0
"""What a configuration file says, value by value, each with its place; and what of it is not taken.

Standard library only, and no error of its own: who reads a file decides what an error stops.
"""

from dataclasses import dataclass
from pathlib import Path

from ota_agent.errors import AgentError
from ota_agent.owners import require_trusted
from ota_agent.small_file import read_small

_NAME = 80  # characters
_LIMIT = 1 << 20  # [B] of a file


_LONGEST = 500  # characters of a place and of a finding: either may quote what was written


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A value.

    Attributes:
        section: of ours that it is for.
        name: of our key.
        value: unchecked.
        place: the file, and the key as the file spells it.
    """

    section: str
    name: str
    value: object
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """What a file says that cannot be: it is as if it were not there.

    Attributes:
        place: the file; and the key, if the others in the file are taken.
        finding: what is wrong with it.
        hides_keys: it may have said which keys artifacts must be signed with.
    """

    place: str
    finding: str
    hides_keys: bool = False

    def __str__(self) -> str:
        return f"{self.place[:_LONGEST]}: {self.finding[:_LONGEST]}"


def short(text: str, most: int = _NAME) -> str:
    """A name that a file gives, or a library's words of it, which may be as long as the file."""
    return text if len(text) <= most else f"{text[:most]}…"


def text_of(path: Path) -> str:
    """The text of a file, without the mark that editors of Windows begin it with.

    Raises:
        FileNotFoundError: it is not there.
        UnicodeDecodeError: it is not UTF-8.
        AgentError: it cannot be read, or others than root may change it.
    """
    require_trusted(path)
    try:
        data = read_small(path, _LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}") from None
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}") from error
    if len(data) > _LIMIT:
        raise AgentError(f"{path}: is longer than {_LIMIT} B")
    return data.decode("utf-8-sig")
