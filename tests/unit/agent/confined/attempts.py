# SPDX-License-Identifier: Apache-2.0
"""What a process tries that has given its rights up: run by `start_bare`, prints the results."""

import _socket
import ctypes
import errno
import posix
import sys

from ota_agent.confined import rights

_ATTACH, _NEW_USERS = 16, 0x10000000  # PTRACE_ATTACH, CLONE_NEWUSER
_MEMORY, _SECONDS = 256 << 20, 60


def main(words: list[str]) -> None:
    """Try all of it.

    Args:
        words: ``filtered``, or anything else for a kernel without seccomp; a file and a folder that
            everybody may read and write; a port where a server listens.
    """
    how, file, folder, port = words
    if how != "filtered":
        setattr(rights, "program", lambda machine, *, is_64: b"")  # noqa: B010  (it is not exported)
    libc, parent = ctypes.CDLL(None, use_errno=True), posix.getppid()
    target = ctypes.create_string_buffer(8)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(target), 8)

    def connect() -> None:
        _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect(("127.0.0.1", int(port)))

    def called(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)

    attempts = {
        "read a file": lambda: posix.open(file, posix.O_RDONLY),
        "write a file": lambda: posix.open(file, posix.O_WRONLY),
        "make a file": lambda: posix.open(f"{folder}/new", posix.O_WRONLY | posix.O_CREAT),
        "remove a file": lambda: posix.unlink(file),
        "connect": connect,
        "fork": posix.fork,
        "exec": lambda: posix.execv(sys.executable, [sys.executable, "-c", ""]),
        "be root": lambda: posix.setuid(0),
        "end the agent": lambda: posix.kill(parent, 0),
        "trace the agent": lambda: called("ptrace", _ATTACH, parent, 0, 0),
        "read the agent's memory": lambda: called(
            "process_vm_readv", parent, vector, 1, vector, 1, 0
        ),
        "open the agent's memory": lambda: posix.open(f"/proc/{parent}/mem", posix.O_RDONLY),
        "make a namespace": lambda: called("unshare", _NEW_USERS),
        "make a pipe": posix.pipe,
    }
    lacking = rights.give_up(65534, memory=_MEMORY, seconds=_SECONDS)
    lines = [f"lacking: {lacking}"]
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            lines.append(f"{name}: {errno.errorcode.get(error.errno or 0, error.errno)}")
        else:
            lines.append(f"{name}: done")
    posix.write(1, "\n".join(lines).encode())
    posix._exit(0)
