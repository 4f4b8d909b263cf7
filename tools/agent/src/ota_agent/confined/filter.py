# SPDX-License-Identifier: Apache-2.0
"""The system calls that a process which unpacks may make: a filter for seccomp.

It allows the few that it needs, and refuses all others with EPERM: an allow-list is complete
whatever a later kernel brings. A call that Python makes for no good reason is refused as well, and
does not end the process.

Source: Linux, arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h,
arch/arm/tools/syscall.tbl; include/uapi/linux/audit.h, seccomp.h, bpf_common.h.
"""

# read, write, close; memory; futex; signals; time; the end
_X86_64 = (0, 1, 3, 9, 10, 11, 12, 13, 14, 15, 24, 25, 28, 60, 202, 219, 228, 231, 318)
_AARCH64 = (57, 63, 64, 93, 94, 98, 113, 124, 128, 134, 135, 139, 214, 215, 216, 222, 226, 233, 278)
_ARM = (
    *(0, 1, 3, 4, 6, 45, 91, 119, 125, 158, 163, 173, 174, 175, 192, 220, 240, 248, 263, 384),
    *(403, 422),  # clock_gettime64, futex_time64
    *(0x0F0002, 0x0F0005),  # cacheflush, set_tls: include/uapi/asm/unistd.h
)
_CALLS = {
    ("x86_64", True): (0xC000003E, _X86_64),
    ("aarch64", True): (0xC00000B7, _AARCH64),
    ("arm", False): (0x40000028, _ARM),
}
"""By machine, and whether the process has 64 bits: the kernel's number of both, and the calls."""

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_CALL, _ARCHITECTURE = 0, 4  # where they are in struct seccomp_data


def program(machine: str, *, is_64: bool) -> bytes:
    """The filter, for `uname`'s machine; empty if there is none for it.

    Args:
        is_64: the process has 64 bits, which the kernel may have alone.
    """
    if machine.startswith(("armv", "aarch64")) and not is_64:
        machine = "arm"
    architecture, calls = _CALLS.get((machine, is_64), (0, ()))
    if not calls:
        return b""
    count = len(calls)
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_IF_EQUAL, architecture, yes=0, no=count + 1),
        _line(_LOAD, _CALL),
        *(_line(_IF_EQUAL, each, yes=count - at) for at, each in enumerate(calls)),
        _line(_RETURN, _REFUSE),
        _line(_RETURN, _ALLOW),
    ]
    return b"".join(lines)


def _line(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One struct sock_filter."""
    return code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")
