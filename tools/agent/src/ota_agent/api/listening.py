# SPDX-License-Identifier: Apache-2.0
"""The socket's file: with its owner and mode from the first moment on."""

import errno
import grp
import logging
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ota_agent.errors import AgentError

logger = logging.getLogger(__name__)

_BACKLOG = 64  # the system refuses connections beyond it
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid. Source: unix(7), SO_PEERCRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A socket that listens, and the file that leads to it.

    Attributes:
        inode: of the file, so that only our own is removed.
        has_group: whether users other than root can connect.
    """

    socket: socket.socket
    path: Path
    inode: int
    has_group: bool

    def close(self) -> None:
        """Stop listening, and remove the file."""
        self.socket.close()
        with suppress(OSError):
            if self.path.lstat().st_ino == self.inode:
                self.path.unlink()


def listen(path: Path, group: str) -> Listening:
    """Listen at a path; a socket that a killed agent left there is replaced.

    Args:
        group: whose members may connect; empty, or one that the device does not have: only root.

    Raises:
        AgentError: another agent listens there, or the socket cannot be made.
    """
    number = _number_of(group)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)  # whatever the umask is
        _refuse_another(path)
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        if number is not None:
            os.chown(fresh, -1, number)
        fresh.chmod(0o600 if number is None else 0o660)
        listener.listen(_BACKLOG)  # no client can connect before
        inode = fresh.stat().st_ino
        fresh.replace(path)
    except OSError as error:
        listener.close()
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise AgentError(
            f"{path}: cannot listen there: {error.strerror or error}; is its folder writable, and"
            " the path shorter than 90 characters?"
        ) from error
    except BaseException:
        listener.close()
        raise
    return Listening(socket=listener, path=path, inode=inode, has_group=number is not None)


def uid_of_peer(connection: socket.socket) -> int:
    """The user who has connected."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, uid, _ = _PEER.unpack(found)
    return int(uid)


def _number_of(group: str) -> int | None:
    if not group:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        logger.warning("there is no group %s; only root may use the device API", group)
        return None


def _refuse_another(path: Path) -> None:
    """Raises:
    AgentError: another agent listens there, or it is not a socket.
    """
    try:
        if not path.is_socket():
            if path.exists() or path.is_symlink():
                raise AgentError(f"{path}: exists and is not a socket; remove it")
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            probe.connect(str(path))
    except OSError as error:
        if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
            return
        if error.errno != errno.EAGAIN:  # its queue is full: an agent is there
            raise
    raise AgentError(f"{path}: another agent serves there; stop one of them")
