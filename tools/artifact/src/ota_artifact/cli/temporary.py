# SPDX-License-Identifier: Apache-2.0
"""Where temporary files are while a command runs."""

import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextmanager
def temporary_folder(parent: str | None) -> Iterator[None]:
    """All temporary files and folders of this process go into one, which is removed in the end.

    Whoever makes one removes it; but a signal that comes just then, or while one is made, stops
    that. This removal no signal stops: it waits.

    Args:
        parent: by default the system's; if that cannot be written to, each maker of a temporary
            file finds out for itself, and commands that make none work on.

    Raises:
        OSError: there can be none in ``parent``.
    """
    before = tempfile.tempdir
    folder: Path | None = None
    try:
        try:
            folder = Path(parent or tempfile.gettempdir(), f"ota-artifact-{secrets.token_hex(8)}")
            folder.mkdir(0o700)
            tempfile.tempdir = str(folder.absolute())
        except OSError:
            if parent:
                raise
        yield
    finally:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        tempfile.tempdir = before
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
