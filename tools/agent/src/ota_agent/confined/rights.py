# SPDX-License-Identifier: Apache-2.0
"""Gives up what a process does not need. Imports little: each process has it in its own memory."""

import posix
import resource
import sys

from ota_agent.confined.filter import program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_KILL = 9  # SIGKILL
# Source: Linux, include/uapi/linux/prctl.h, seccomp.h
_END_WITH_PARENT, _SET_DUMPABLE, _SET_SECCOMP, _DROP, _NO_NEW_PRIVILEGES = 1, 4, 22, 24, 38
_MODE_FILTER = 2
_CAPABILITIES = 64  # more than there are


def give_up(user: int, *, memory: int, seconds: int) -> str:
    """Be nobody, who can read and write what is open, and nothing else; gives what this lacks.

    Each part that the system does not have is passed over.

    Args:
        user: to become, if we are root.
        memory: addresses that may be in use [B].
        seconds: of CPU time [s].
    """
    lacking: list[str] = []
    control = _prctl()
    if control is None:
        lacking.append("no Python module ctypes")
    is_root = posix.geteuid() == 0
    if is_root:
        if control:
            for number in range(_CAPABILITIES):
                control(_DROP, number)
        try:
            posix.setgroups([])
            posix.setresgid(user, user, user)
            posix.setresuid(user, user, user)
        except OSError as error:
            lacking.append(f"no other user: {error.strerror}")
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, 0),
    ):
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError) as error:
            lacking.append(f"no limit {limit}: {error}")
    if control:
        lacking += _without_calls(control)
    return "; ".join(lacking)


def _without_calls(control: "Callable[..., int]") -> list[str]:
    lacking = []
    control(_END_WITH_PARENT, _KILL)  # the change of the user has cleared it
    control(_SET_DUMPABLE, 0)
    if control(_NO_NEW_PRIVILEGES, 1):
        lacking.append("no no_new_privs")
    machine = posix.uname().machine
    lines = program(machine, is_64=sys.maxsize > 1 << 32)
    if not lines:
        lacking.append(f"no seccomp filter for {machine}")
    elif control(_SET_SECCOMP, _MODE_FILTER, lines):
        lacking.append("no seccomp in the kernel")
    return lacking


def _prctl() -> "Callable[..., int] | None":
    """The kernel's prctl(2); bytes are passed as a struct sock_fprog."""
    try:
        import ctypes
    except ImportError:
        return None
    found = ctypes.CDLL(None).prctl

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_char_p))

    def call(option: int, value: int = 0, lines: bytes = b"") -> int:
        third = ctypes.byref(Program(len(lines) // 8, lines)) if lines else ctypes.c_ulong(0)
        zero = ctypes.c_ulong(0)
        result: int = found(option, ctypes.c_ulong(value), third, zero, zero)
        return result

    return call
