# SPDX-License-Identifier: Apache-2.0
"""The one process at a time that is the agent."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_agent.errors import AgentError


class Taken(AgentError):
    """Another process is the agent already."""


@contextmanager
def ownership(lock: Path) -> Iterator[None]:
    """Be the agent; the kernel ends it with the process, whatever ends that.

    Raises:
        Taken: another process is.
        AgentError: the lock cannot be made.
    """
    try:
        if not lock.parent.is_dir():
            lock.parent.mkdir(parents=True)
            lock.parent.chmod(0o755)  # whatever the umask is: the device API's socket is in it
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        root = "; be root, as with sudo" if error.errno in (errno.EACCES, errno.EPERM) else ""
        raise AgentError(f"{lock}: {error.strerror}{root}") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Taken(
                "another process is the agent: the daemon, or an install in another terminal;"
                " `ota-agent status` shows what it does"
            ) from error
        yield
    finally:
        os.close(file)
