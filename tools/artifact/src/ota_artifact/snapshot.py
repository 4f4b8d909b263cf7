# SPDX-License-Identifier: Apache-2.0
"""A root filesystem copied from a running device over ssh, and what the device provides.

On the device, Mender's own programs do the work, with sudo unless the login is root. One connection
carries everything: lines of text up to a mark, then the raw filesystem. The configuration of ssh
decides on keys, known hosts and proxies, as when you call it by hand.

Source: mender-artifact 4.4, behaviour of ``write rootfs-image --file ssh://...``.
"""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.filesystem import recognise
from ota_artifact.image.superblock import read_superblock
from ota_artifact.output import put
from ota_artifact.provides import CHECKSUMS, ROOTFS
from ota_artifact.run import stream

_SILENCE = 120.0  # [s] without a byte: ssh's own connection timeout, and time for a password
_HEAD_LIMIT = 1 << 20  # [B] of text before the filesystem: greetings of a login, and the provides
_BEGIN = b"ota-snapshot: provides"
_DATA = b"ota-snapshot: filesystem"
_NO_SNAPSHOT, _NO_PROVIDES, _NO_CONNECTION = 69, 70, 255  # exit codes: two of ours, and of ssh

_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_.+][A-Za-z0-9_.+-]*)@)?"
    r"(?:\[(?P<ip6>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\]|(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)

# The dump goes through cat, as it refuses the socket that sshd gives it; its exit code goes through
# fd 4, since the pipe has only that of cat.
_AS_ROOT = f"""
echo {shlex.quote(_BEGIN.decode())}
if command -v mender-update >/dev/null; then mender-update show-provides || exit {_NO_PROVIDES}
elif command -v mender >/dev/null; then mender show-provides || exit {_NO_PROVIDES}
fi
echo {shlex.quote(_DATA.decode())}
exec 3>&1
code=$({{ {{ "$@" 3>&- 4>&-; echo $? >&4; }} | cat >&3; }} 4>&1)
exit $code
"""

_ON_DEVICE = f"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if command -v mender-snapshot >/dev/null; then set -- mender-snapshot dump
elif command -v mender >/dev/null; then set -- mender snapshot dump
else exit {_NO_SNAPSHOT}
fi
sudo=; [ "$(id -u)" = 0 ] || sudo="sudo %s"
exec $sudo /bin/sh -c {shlex.quote(_AS_ROOT)} sh "$@"
"""


@dataclass(frozen=True, slots=True)
class Address:
    """A device to log in to.

    Attributes:
        host: name, alias in the configuration of ssh, or IP address.
        user: login name; empty: ssh decides.
        port: empty: ssh decides.
    """

    host: str
    user: str = ""
    port: str = ""


def parse_address(text: str) -> Address:
    """The parts of ``ssh://[user@]host[:port]``; an IPv6 address is in brackets.

    Raises:
        ArtifactError: it is something else, such as a word that ssh would take for an option.
    """
    match = _ADDRESS.fullmatch(text)
    if not match or not 0 < int(match["port"] or 22) < 1 << 16:
        raise ArtifactError(
            f"{text!r}: is not the address of a device; write ssh://[user@]host[:port],"
            " with an IPv6 address in brackets"
        )
    return Address(match["ip6"] or match["host"], match["user"] or "", match["port"] or "")


def take_snapshot(
    address: str,
    destination: Path,
    *,
    ssh_args: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    show: Callable[[bytes], None] | None = None,
) -> dict[str, str]:
    """Copy a device's root filesystem to a file; gives what the device provides.

    These are the entries of ``mender-update show-provides`` that begin with ``rootfs-image.``, by
    key, in its order, without checksums: the running system has changed since it was installed.
    Empty if the device has no such program.

    Args:
        address: ``ssh://[user@]host[:port]``.
        destination: overwritten, with holes for zeros; after an error it is incomplete.
        ssh_args: come before all other arguments of ssh.
        progress: gets the bytes so far, and their total, or 0 while that is unknown [B].
        show: gets what ssh and the device print on stderr, as it comes. With it, sudo may ask for a
            password, which is read from our stdin, without echo; without it, sudo must not ask.

    Raises:
        ArtifactError: the address is wrong, or what came is not a complete filesystem.
        ProgramError: there is no ssh, no connection or no Mender on the device, or a program there
            failed.
        OSError: the file cannot be written.
    """
    device = parse_address(address)
    script = _ON_DEVICE % ("-S" if show else "-n")
    argv = (
        *("ssh", *ssh_args, "-T", "-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=3"),
        *(("-p", device.port) if device.port else ()),
        *(("-l", device.user) if device.user else ()),
        *("--", device.host, f"/bin/sh -c {shlex.quote(script)}"),
    )
    with destination.open("wb", buffering=0) as file, _without_echo(bool(show)):
        received = _Received(cast(BinaryIO, file), destination, progress)
        ended = stream(
            argv, silence=_SILENCE, sink=received.take, show=show, is_interactive=bool(show)
        )
        file.truncate(received.size)  # the last of it may be a hole
    if ended.code or not received.has_data:
        raise ProgramError(f"{address}: {_reason(ended.code, received)}: {ended.said}")
    _check_whole(destination, received.size, address)
    return _provides(received.head)


class _Received:
    """What the device sends: text up to the mark, then the filesystem, which goes to a file."""

    def __init__(
        self, file: BinaryIO, path: Path, progress: Callable[[int, int], None] | None
    ) -> None:
        self._file = file
        self._path = path
        self._progress = progress
        self._total = 0
        self.head = b""
        self.has_data = False
        self.size = 0

    def take(self, chunk: bytes) -> None:
        if not self.has_data:
            head, mark, rest = (self.head + chunk).partition(_DATA + b"\n")
            self.head, self.has_data = head, bool(mark)
            if len(self.head) > _HEAD_LIMIT:
                raise ProgramError(
                    "ssh: the device sends text but no filesystem; log in by hand to see why"
                )
            chunk = rest
        if not chunk:
            return
        if chunk.count(0) == len(chunk):
            self._file.seek(len(chunk), os.SEEK_CUR)
        else:
            put(self._file, chunk)
        is_first = self.size < _HEAD_LIMIT <= self.size + len(chunk)
        self.size += len(chunk)
        if self._progress:
            if is_first and recognise(self._path) == "ext4":
                self._total = read_superblock(self._path).size
            self._progress(self.size, self._total)


def _reason(code: int, received: _Received) -> str:
    if code == _NO_CONNECTION and _BEGIN not in received.head:
        return "ssh could not log in"
    if code == _NO_SNAPSHOT and _BEGIN not in received.head:
        return "neither mender-snapshot nor mender is installed there; install mender-snapshot"
    if code == _NO_PROVIDES and not received.has_data:
        return "the device does not say what it provides"
    if received.has_data:
        return f"the copy stopped after {received.size} B, with exit code {code}"
    return f"the device did not start the copy, exit code {code}; log in as root, or allow sudo"


def _check_whole(path: Path, size: int, address: str) -> None:
    """Pass if the file can be a complete filesystem of ``size`` bytes [B]."""
    kind = recognise(path)
    if kind is None:
        raise ArtifactError(f"{address}: sent {size} B that are not a known filesystem")
    if kind == "ext4" and size < (whole := read_superblock(path).size):
        raise ArtifactError(
            f"{address}: sent only {size} B of a filesystem of {whole} B; try again"
        )


def _provides(head: bytes) -> dict[str, str]:
    lines = head.partition(_BEGIN)[2].decode("utf-8", "replace").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {
        key: value for key, value in pairs if key.startswith(f"{ROOTFS}.") and key not in CHECKSUMS
    }


@contextmanager
def _without_echo(is_wanted: bool) -> Iterator[None]:
    """Hide what is typed for sudo on the device."""
    if not is_wanted or not sys.stdin or not sys.stdin.isatty():
        yield
        return
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
