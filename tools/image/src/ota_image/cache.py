# SPDX-License-Identifier: Apache-2.0
"""Keeps results by the hash of their inputs, so that the same thing is made only once."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_artifact.errors import ProgramError


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/ota-kit``, or ``~/.cache/ota-kit``.

    Source: XDG Base Directory Specification: a relative path is to be ignored.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "ota-kit"


def key_of(*parts: str | bytes) -> str:
    """16 hex digits that change with any part, and with where one part ends and the next begins."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


@contextmanager
def one_error_if_full(place: Path) -> Iterator[None]:
    """Make one error of what a program, or shutil for each file, says of a full disk.

    Raises:
        OSError: the disk of the place is full.
    """
    try:
        yield
    except (ProgramError, shutil.Error) as error:
        reason = os.strerror(errno.ENOSPC)
        if reason in str(error):
            raise OSError(errno.ENOSPC, reason, str(place)) from error
        raise


@contextmanager
def make_once(name: str) -> Iterator[tuple[Path, Path | None]]:
    """The folder of that name in the cache, and where to make it if it is not there yet.

    Gives (folder, None) if the cache has it. Otherwise gives (folder, workplace). When the block
    ends without an exception, the workplace becomes the folder in one step, even if another process
    makes the same folder at the same time.

    Raises:
        OSError: the cache cannot be written, also if a program says that the disk is full.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        yield folder, None
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with one_error_if_full(folder.parent):
            yield folder, workplace
        workplace.chmod(0o755)  # another user, such as root, may have the same cache
        try:
            workplace.rename(folder)
        except OSError:
            if not folder.is_dir():  # no other process was faster
                raise
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
