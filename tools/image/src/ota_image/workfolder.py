# SPDX-License-Identifier: Apache-2.0
"""A folder to work in, which does not stay forever if its process is killed."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".build."


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A folder for one build. Removes the folders that killed builds left in ``parent``.

    A folder in use is locked; one that can be locked belongs to no process.

    Raises:
        OSError: it cannot be made.
    """
    for place in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), place.joinpath("lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(place, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name,
        Path(name, "lock").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)
