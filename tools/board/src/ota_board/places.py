# SPDX-License-Identifier: Apache-2.0
"""Where the kit's own data is: in the package, or in the tree that it is installed from."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_TREE = _PACKAGE.parents[3]


def data_folder(name: str) -> Path:
    """The folder ``boards`` or ``bootloader``."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _TREE / name
