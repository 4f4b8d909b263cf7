# SPDX-License-Identifier: Apache-2.0
"""Where the temporary files of a command are."""

import secrets
import shutil
import signal
import tempfile
import threading
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
        with _waiting_signals():
            tempfile.tempdir = before
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _waiting_signals() -> Iterator[None]:
    """Signals that would end the command wait for the end of the block.

    The mask is of this thread only: a signal that another thread takes interrupts the main thread
    too, unless its handler waits.
    """
    came: list[int] = []
    handlers = {}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                handlers[number] = signal.signal(number, lambda taken, _frame: came.append(taken))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for taken in came:
            signal.raise_signal(taken)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
