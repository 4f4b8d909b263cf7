# SPDX-License-Identifier: Apache-2.0
"""Starts a command: its script calls this before anything that takes time."""

import signal
from importlib import import_module


def start(module: str) -> None:
    """Import the module of a command and run its ``entry``, which ends the process.

    Ctrl-C ends the process at once until ``entry`` handles it: Python would print a traceback of
    its imports.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_module(module).entry()
