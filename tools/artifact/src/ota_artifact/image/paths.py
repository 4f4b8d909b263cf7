# SPDX-License-Identifier: Apache-2.0
"""Paths inside an image, and what is found there."""

from typing import Literal

from ota_artifact.errors import ArtifactError

Kind = Literal["file", "directory", "symlink", "other"]
"""What a path names; "other" is a device node, a socket or a pipe."""

_LONGEST_PATH = 4096  # [B]. Source: linux/limits.h, PATH_MAX
_LONGEST_NAME = 255  # [B]. Source: linux/limits.h, NAME_MAX


def components(path: str) -> tuple[str, ...]:
    """The names of an absolute path in order, empty ones and "." left out; () is the root.

    ".." stays, since its meaning depends on symbolic links.

    Raises:
        ArtifactError: the path is not absolute, is too long, or has a line break or a NUL, which
            the programs that work on images do not accept.
    """
    if not path.startswith("/"):
        raise ArtifactError(f"{path!r}: not an absolute path; begin it with '/'")
    if any(character in path for character in "\n\r\0"):
        raise ArtifactError(f"{path!r}: a line break or NUL in a path inside an image; rename it")
    if len(path.encode("utf-8", "surrogateescape")) > _LONGEST_PATH:
        raise ArtifactError(f"{path[:40]!r}...: path is longer than {_LONGEST_PATH} B; shorten it")
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    for name in names:
        if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
            raise ArtifactError(
                f"{name[:40]!r}...: name is longer than {_LONGEST_NAME} B; shorten it"
            )
    return names


def joined(names: tuple[str, ...]) -> str:
    """The absolute path of these names."""
    return "/" + "/".join(names)


def checked_mode(mode: int) -> int:
    """The permission bits, unchanged.

    Raises:
        ArtifactError: more than the twelve bits of a mode.
    """
    if not 0 <= mode <= 0o7777:
        raise ArtifactError(f"mode {mode:#o}: not permission bits; write 0 to 7777, in octal")
    return mode
