# SPDX-License-Identifier: Apache-2.0
"""Runs debugfs and e2fsck so that no file name can change what they do.

debugfs always ends with exit code 0: an error is only a line on stderr. A command
is a line of words; a word in double quotes may hold anything but a line break, and a double quote
in it is doubled. Source: e2fsprogs, lib/ss/parse.c.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.workplace import build_time, find_program
from ota_artifact.run import run

_TIMEOUT = 900.0  # [s] a file of several GiB on a slow disk
_LONGEST_LINE = 1000  # [B] debugfs built on musl reads a script in pieces of 1024
_STDERR_TO_FILE = 'said=$1; shift; exec "$@" 2>"$said"'
"""The text on stderr is the result, and `run` gives it only for a failed program."""


class DebugfsError(ArtifactError):
    """debugfs failed: `said` is its own text, on which a caller may act."""

    def __init__(self, said: str) -> None:
        super().__init__(f"debugfs: {said}")
        self.said = said


def ask(place: Path, offset: int, *words: str) -> bytes:
    """What one command prints; the image is opened read-only.

    Args:
        place: a workplace of the image.
        offset: where the filesystem begins in it [B].

    Raises:
        DebugfsError: it printed anything on stderr.
        ProgramError: debugfs is missing or did not end.
    """
    return _debugfs(place, "-R", _line(words), _address(place, offset))


def ask_each(place: Path, offset: int, commands: Sequence[Sequence[str]]) -> Iterator[bytes]:
    """What each of several commands prints, in order; the image is opened read-only.

    debugfs prints each command before its output, so that an image with content that looks like
    a command may mix the outputs up.

    Raises:
        DebugfsError: one of them printed anything on stderr.
        ProgramError: debugfs is missing or did not end.
    """
    lines = [_short(_line(words)) for words in commands]
    script = "".join(f"{line}\n" for line in lines)
    printed = _debugfs(place, "-f", "-", _address(place, offset), script=script)
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        begin = len(f"debugfs: {line}\n".encode())
        end = -1 if following is None else printed.find(f"\ndebugfs: {following}\n".encode())
        yield printed[begin:] if end < 0 else printed[begin : end + 1]
        printed = b"" if end < 0 else printed[end + 1 :]


def change(place: Path, offset: int, commands: Sequence[Sequence[str]]) -> None:
    """Run commands in order, with the image opened for writing.

    All of them run even if one fails, so each must be harmless after a failed one.

    Raises:
        DebugfsError: one of them printed anything on stderr; the image may be half changed.
        ProgramError: debugfs is missing or did not end.
    """
    script = "".join(f"{_short(_line(words))}\n" for words in commands)
    _debugfs(place, "-w", "-f", "-", _address(place, offset), script=script)


def check(place: Path, offset: int) -> str | None:
    """What e2fsck finds wrong, without changes; None if the filesystem is sound.

    Raises:
        ProgramError: e2fsck is missing or did not end.
    """
    argv = (find_program("e2fsck", package="e2fsprogs"), "-fn", _address(place, offset))
    try:
        run(argv, timeout=_TIMEOUT, environment={"LC_ALL": "C"})
    except ProgramError:
        said = run(
            argv, timeout=_TIMEOUT, environment={"LC_ALL": "C"}, success=(4, 8, 12)
        )  # what it found is on stdout, which the exception above does not hold
        return said.decode("utf-8", "replace").strip()
    return None


def replay_journal(place: Path, offset: int) -> None:
    """Apply what an unclean shutdown left in the journal.

    Raises:
        ProgramError: e2fsck is missing, or found damage that it does not repair unasked.
    """
    argv = (find_program("e2fsck", package="e2fsprogs"), "-p", _address(place, offset))
    run(argv, timeout=_TIMEOUT, environment={"LC_ALL": "C"}, success=(0, 1))


def _address(place: Path, offset: int) -> str:
    """The filesystem in e2fsprogs' words. Source: e2fsprogs, lib/ext2fs/unix_io.c, "offset"."""
    return f"{place / 'image'}?offset={offset}"


def _line(words: Sequence[str]) -> str:
    for word in words:
        if any(character in word for character in "\n\r\0"):
            raise ArtifactError(f"{word!r}: a line break or NUL cannot be given to debugfs")
    command, *arguments = words
    return " ".join([command, *('"' + word.replace('"', '""') + '"' for word in arguments)])


def _short(line: str) -> str:
    if len(line.encode("utf-8", "surrogateescape")) > _LONGEST_LINE:
        raise ArtifactError(f"{line[:60]}...: command too long; use a shorter name")
    return line


def complaint_of(said: str) -> str:
    """What debugfs complains of on stderr: what follows the line with its version.

    What comes before is not its own, such as the loader's words about a library in LD_PRELOAD.
    """
    return re.sub(r"\A(?:.*?\n)??debugfs \d[^\n]*(?:\n|\Z)", "", said, flags=re.DOTALL).strip()


def _debugfs(place: Path, *arguments: str, script: str = "") -> bytes:
    program = find_program("debugfs", package="e2fsprogs")
    environment = {"LC_ALL": "C", "DEBUGFS_PAGER": "__none__", "PAGER": "__none__"}
    epoch = build_time()
    if epoch is not None:
        environment["E2FSPROGS_FAKE_TIME"] = str(max(epoch, 1))  # 0 means "the clock" there
    heard = place / "stderr"
    printed = run(
        ("sh", "-c", _STDERR_TO_FILE, "sh", str(heard), program, *arguments),
        timeout=_TIMEOUT,
        stdin=script.encode("utf-8", "surrogateescape"),
        environment=environment,
        success=(0, 1),  # 1: it could not open the image, and says so
    )
    said = heard.read_text(encoding="utf-8", errors="replace")
    complaint = complaint_of(said)
    if complaint:
        opening = re.match(r"\S*debugfs: (.*) while trying to open", complaint)
        raise DebugfsError(
            f"cannot open the filesystem: {opening[1]}"
            if opening
            else "; ".join(dict.fromkeys(complaint.splitlines()))
        )
    return printed
