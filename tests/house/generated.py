# SPDX-License-Identifier: Apache-2.0
"""Pages and files that are written from the code, each by a module that renders it."""

import sys
from pathlib import Path


def show_or_write(path: Path, text: str) -> None:
    """Print what belongs into a file, or write it if the command line has ``--write``."""
    if "--write" in sys.argv:
        path.write_text(text, "utf-8")
    else:
        print(text, end="")
