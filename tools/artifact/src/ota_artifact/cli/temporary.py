# SPDX-License-Identifier: Apache-2.0
"""Where the temporary files of a command are."""

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
    """Put all temporary files of this process into one folder, and remove it at the end.

    The code that creates one removes it, too, but a signal may interrupt that. It cannot interrupt
    this removal: signals wait.

    Args:
        parent: by default the system's; if that is not writable, only commands that need a
            temporary file fail.

    Raises:
        OSError: the folder cannot be created in ``parent``.
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
