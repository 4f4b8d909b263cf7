# SPDX-License-Identifier: Apache-2.0
"""Compiles the Python modules of a root filesystem to byte code, so that the device need not.

A slot is mounted read-only: without byte code, each program compiles everything that it imports
every time it starts. The byte code is of the kind that is never compared with its source, since
files in a slot have other times than in their packages. Source: PEP 552.
"""

import marshal
import posixpath
import sys
import warnings
from importlib.util import MAGIC_NUMBER
from types import CodeType

from ota_image.progress import Say
from ota_image.rootfs.tree import Tree

_UNCHECKED = b"\1\0\0\0"  # Source: PEP 552, bit 0 set and bit 1 clear
_NO_HASH = bytes(8)  # never read
_ROOT = "/usr/lib/python3"


def add_bytecode(tree: Tree, say: Say) -> None:
    """Add the byte code of every module, and remove what the packages brought.

    An image whose Python has another version than ours gets none, since byte code differs.
    """
    ours = f"{_ROOT}.{sys.version_info.minor}"
    if ours not in tree:
        other = sorted(
            path for path, _ in tree if path.startswith(f"{_ROOT}.") and path.count("/") == 3
        )
        if other:
            say(
                f"warning: {other[0]}: differs from the Python that runs ota-image, so programs"
                " start slower, without byte code; run ota-image with"
                f" python3.{other[0].rpartition('.')[2]} to add it"
            )
        return
    for path in [path for path, _ in tree if _is_code(path) and path.endswith(".pyc")]:
        tree.remove(path)
    for path, source in _sources(tree):
        code = _compiled(source, path)
        if code is not None:
            folder, name = posixpath.split(path)
            cached = f"{folder}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc"
            tree.add_file(cached, MAGIC_NUMBER + _UNCHECKED + _NO_HASH + marshal.dumps(code))


def _sources(tree: Tree) -> list[tuple[str, bytes]]:
    return [
        (path, entry.content.read_bytes())
        for path, entry in tree
        if _is_code(path) and path.endswith(".py") and entry.content
    ]


def _is_code(path: str) -> bool:
    """Whether a path is among the modules of the system's Python."""
    return path.startswith((f"{_ROOT}/", f"{_ROOT}.{sys.version_info.minor}/"))


def _compiled(source: bytes, path: str) -> CodeType | None:
    """The byte code; None if the source is not for this Python, like some packages' test data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code: CodeType = compile(source, path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):
            return None
    return code
