# SPDX-License-Identifier: Apache-2.0
"""Compiles the Python modules of a root filesystem to byte code, so that the device need not.

A slot is mounted read-only: without byte code, each program compiles everything that it imports
every time it starts. The byte code is of the kind that is never compared with its source, since
files in a slot have other times than in their packages. Source: PEP 552.
"""

import posixpath
import re

from ota_image.progress import Say
from ota_image.rootfs.python import Python, compile_all
from ota_image.rootfs.tree import Tree

_UNCHECKED = b"\1\0\0\0"  # Source: PEP 552, bit 0 set and bit 1 clear
_NO_HASH = bytes(8)  # never read
_ROOT = "/usr/lib/python3"
_VERSIONED = re.compile(rf"{_ROOT}\.(\d+)")


def add_bytecode(tree: Tree, python: Python, say: Say) -> None:
    """Add the byte code of every module, and remove what the packages brought.

    An image whose Python has another version gets none, since byte code differs.

    Raises:
        ProgramError: Python cannot be started, or fails.
    """
    there = sorted(path for path, _ in tree if _VERSIONED.fullmatch(path))
    if python.folder not in there:
        if there:
            name = posixpath.basename(there[0])
            say(
                f"warning: {there[0]}: no {name} is at hand to compile its modules, so programs"
                f" start slower; put {name} on PATH, or run ota-image with it"
            )
        return
    folders = (f"{_ROOT}/", f"{python.folder}/")
    for path in [path for path, _ in tree if path.startswith(folders) and path.endswith(".pyc")]:
        tree.remove(path)
    sources = sorted(
        (path, entry.content.read_bytes())
        for path, entry in tree
        if path.startswith(folders) and path.endswith(".py") and entry.content
    )
    made = compile_all(python, sources)
    for (path, _), code in zip(sources, made.codes, strict=True):
        if code is not None:
            folder, name = posixpath.split(path)
            cached = f"{folder}/__pycache__/{name[:-3]}.{made.tag}.pyc"
            tree.add_file(cached, made.magic + _UNCHECKED + _NO_HASH + code)
