# SPDX-License-Identifier: Apache-2.0
"""Starts a command: its script calls this before anything that takes time."""

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module


def start(module: str) -> None:
    """Import the module of a command and run its ``entry``, which ends the process.

    Ctrl-C ends the process at once until ``entry`` handles it: Python would print a traceback of
    its imports.

    In a locale without UTF-8, Python starts again in its UTF-8 mode: files of configuration are
    UTF-8 everywhere, and otherwise a path in them would be another one than on the disk.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        with suppress(OSError):
            words = (sys.executable, "-X", "utf8", *sys.orig_argv[1:])
            os.execv(sys.executable, words)  # noqa: S606  (ourselves, as we were started)
    import_module(module).entry()
