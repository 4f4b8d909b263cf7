# SPDX-License-Identifier: Apache-2.0
"""Compiles Python modules, in a process of its own: the Python of an image runs this file.

It reads a list of (path, source) from stdin and writes (magic number, tag of files, list of byte
codes) to stdout, both as marshal has them. It imports only what every Python has built in, so that
the same sources give the same bytes, and needs no more than Debian's python3-minimal.
"""

import marshal
import sys
from _frozen_importlib_external import MAGIC_NUMBER


def compiled(path: str, source: bytes) -> bytes | None:
    """The byte code; None if the source is not for this Python, like some packages' test data."""
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return None
    return marshal.dumps(code)


def _main() -> None:
    for number in range(256):  # marshal tells those that some import has interned from the others
        sys.intern(chr(number))
    codes = [compiled(path, source) for path, source in marshal.load(sys.stdin.buffer)]  # noqa: S302
    marshal.dump((MAGIC_NUMBER, sys.implementation.cache_tag, codes), sys.stdout.buffer)


if __name__ == "__main__":
    _main()
