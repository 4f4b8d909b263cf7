# SPDX-License-Identifier: Apache-2.0
"""Wakes a thread that sleeps in `select`, from another thread."""

import os
from threading import Lock


class Wake:
    """An eventfd, safe to use while it is closed elsewhere.

    Attributes:
        number: its file descriptor, to be read from.
    """

    def __init__(self) -> None:
        self.number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._alone = Lock()
        self._is_up = self._is_closed = False

    def up(self) -> None:
        """Wake the thread; further calls do nothing until it has woken."""
        with self._alone:
            if not self._is_up and not self._is_closed:
                os.eventfd_write(self.number, 1)
                self._is_up = True

    def slept(self) -> None:
        """The thread is awake; it calls this before it looks at what has changed."""
        with self._alone:
            self._is_up = False
            os.eventfd_read(self.number)

    def close(self) -> None:
        """Stop waking."""
        with self._alone:
            self._is_closed = True
            os.close(self.number)
