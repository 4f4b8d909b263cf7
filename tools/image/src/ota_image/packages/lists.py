# SPDX-License-Identifier: Apache-2.0
"""Checks apt's lists of packages: apt itself compares them with what was signed only on arrival.

A power cut may leave an empty list. apt takes that for the archive's, and does not fetch it again
until the archive changes.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ota_image.cache import key_of

DIGEST = "digest"
"""The file next to the lists with the digest of what the last update left."""


def has_other_lists(folder: Path) -> bool:
    """Whether the lists are not those that the last update left.

    Args:
        folder: of the apt root.
    """
    digest = folder / DIGEST
    known = digest.read_text("utf-8", "replace") if digest.is_file() else ""
    return known != digest_of_lists(folder)


def digest_of_lists(folder: Path) -> str:
    """A digest of all lists; empty if there is none."""
    parts: list[str | bytes] = []
    for path in sorted(_lists(folder)):
        with path.open("rb") as file:
            parts += [path.name, hashlib.file_digest(file, "sha256").digest()]
    return key_of(*parts) if parts else ""


def remove_lists(folder: Path) -> None:
    """Remove the lists, and what apt has made of them."""
    for path in (*_lists(folder), *folder.glob("*.bin")):
        path.unlink()


def _lists(folder: Path) -> Iterator[Path]:
    """The lists; apt locks a file next to them, and links those of an archive in a folder."""
    for path in (folder / "lists").iterdir():
        if path.is_file() and not path.is_symlink() and path.name != "lock":
            yield path
