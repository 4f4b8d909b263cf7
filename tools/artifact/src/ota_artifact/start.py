# SPDX-License-Identifier: Apache-2.0
"""Starts a command: its script calls this before anything that takes time.

And starts Python with a module of ours that needs little.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_BARE = (
    "import sys; m, *p = sys.argv[1:]; n = p.index(''); sys.path[:] = p[:n];"
    " __import__(m, fromlist=['*']).main(p[n + 1:])"
)
"""Takes a module, places to import from, an empty word, and the words for the module."""


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


def start_bare(
    module: str, words: Sequence[str], *, keep: Sequence[int]
) -> "subprocess.Popen[bytes]":
    """Start Python again for one module, whose ``main`` takes the words; it imports what we can.

    Without `site`, which takes memory; without our environment, and with ``/`` as its folder. It
    reads a pipe of ours, and we read what it prints; stderr is dropped.

    Args:
        keep: file descriptors that it has as well, under the same numbers.

    Raises:
        OSError: it cannot be started.
    """
    import subprocess

    paths = [each for each in sys.path if each.startswith("/")]
    python = sys.executable or "python3"
    return subprocess.Popen(  # noqa: S603  (ourselves)
        (python, "-I", "-S", "-B", "-c", _BARE, module, *paths, "", *words),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        pass_fds=tuple(keep),
        env={},
        cwd="/",
        start_new_session=True,  # Ctrl-C reaches only us
    )
