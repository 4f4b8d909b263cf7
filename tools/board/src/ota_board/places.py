# SPDX-License-Identifier: Apache-2.0
"""Where the kit's own data is: in the package, or in the tree that it was installed from."""

from pathlib import Path

_PACKAGE = Path(__file__).parent

TEMPLATES = _PACKAGE / "templates"
"""The folder of the templates that only this package uses."""


def data_folder(name: str) -> Path:
    """The folder ``boards`` or ``bootloader``."""
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parents[3] / name
