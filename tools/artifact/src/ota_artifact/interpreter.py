# SPDX-License-Identifier: Apache-2.0
"""What starts a program: the interpreter that a script names, or the loader that a binary does.

Without it the kernel says "No such file or directory" of a file that is there.
"""

import os
import struct
from pathlib import Path

_FIRST_LINE = 256  # [B] Source: Linux, include/uapi/linux/binfmts.h, BINPRM_BUF_SIZE
_PT_INTERP = 3  # Source: elf(5)


def lacking(path: str | os.PathLike[str]) -> str:
    """Why a file cannot be started; empty if nothing is known against it.

    Args:
        path: empty for a file that is not there.
    """
    if not path:
        return "is missing, or not executable"
    try:
        with Path(path).open("rb") as file:
            begin = file.read(_FIRST_LINE)
            if begin.startswith(b"\x7fELF"):
                file.seek(0)
                return _missing(_loader(file.read(4096)), "loader")
    except (OSError, struct.error):
        return ""
    if not begin.startswith(b"#!"):
        return ""
    line = begin[2:].split(b"\n", 1)[0].decode("utf-8", "replace")
    words = line.split()
    if line.endswith("\r"):
        return (
            f"its interpreter {line.strip(' ')!r} is missing: the file has line ends of DOS (CRLF);"
            " convert it: sed -i 's/\\r$//' FILE"
        )
    if not words:
        return ""
    if Path(words[0]).name == "env" and len(words) == 2 and not _is_found(words[1]):
        return f"its interpreter {words[1]} is missing; install it"
    return _missing(words[0], "interpreter")


def _is_found(program: str) -> bool:
    return any((Path(folder) / program).exists() for folder in os.get_exec_path())


def _missing(path: str, what: str) -> str:
    return f"its {what} {path} is missing; install it" if path and not Path(path).exists() else ""


def _loader(head: bytes) -> str:
    """The path that the program header names; empty if there is none near the start."""
    is_wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    at, size, count = (
        struct.unpack_from(f"{order}Q", head, 32)[0]
        if is_wide
        else struct.unpack_from(f"{order}I", head, 28)[0],
        *struct.unpack_from(f"{order}HH", head, 54 if is_wide else 42),
    )
    for number in range(count):
        entry = at + number * size
        (kind,) = struct.unpack_from(f"{order}I", head, entry)
        if kind == _PT_INTERP:
            form, place = (f"{order}Q", 8) if is_wide else (f"{order}I", 4)
            (begin,) = struct.unpack_from(form, head, entry + place)
            return head[begin:].split(b"\0", 1)[0].decode("utf-8", "replace")
    return ""
