# SPDX-License-Identifier: Apache-2.0
"""A folder to work in, which does not stay forever if its process is killed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ota_artifact.hold import hold

_PREFIX = ".work."


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A folder for one piece of work. Removes those that killed processes left in ``parent``.

    A folder in use is held; one that can be held belongs to no process. The block may move it away.

    Raises:
        OSError: it cannot be made.
    """
    for place in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), hold(place, remedy="") as is_held:
            if is_held:
                shutil.rmtree(place, ignore_errors=True)
    with ExitStack() as stack:
        folder = None
        while not folder:
            folder = _try_to_make(parent, stack)
        yield folder


def _try_to_make(parent: Path, stack: ExitStack) -> Path | None:
    """A new folder, held; None if another process has swept it away before we could hold it."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    try:
        stack.enter_context(hold(folder, remedy=""))
    except (BlockingIOError, FileNotFoundError):
        return None
    return folder
