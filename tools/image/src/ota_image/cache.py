# SPDX-License-Identifier: Apache-2.0
"""Keeps results by the hash of their inputs, so that the same thing is made only once."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_image.workfolder import own_folder


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/ota-kit``, or ``~/.cache/ota-kit``.

    A relative one is ignored. Source: XDG Base Directory Specification.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "ota-kit"


def key_of(*parts: str | bytes) -> str:
    """16 hex digits that change with any part, and with where one part ends and the next begins."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


@contextmanager
def make_once(name: str) -> Iterator[tuple[Path, Path | None]]:
    """The folder of that name in the cache, and where to make it if it is not there yet.

    Gives (folder, None) if the cache has it. Otherwise gives (folder, workplace). When the block
    ends without an exception, the workplace becomes the folder in one step, even if another process
    makes the same folder at the same time. What killed processes left next to it is removed.

    Raises:
        OSError: the cache cannot be written.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        yield folder, None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with own_folder(folder.parent) as workplace:
        yield folder, workplace
        try:
            workplace.rename(folder)
        except OSError:
            if not folder.is_dir():  # no other process was faster
                raise
