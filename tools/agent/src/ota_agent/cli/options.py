# SPDX-License-Identifier: Apache-2.0
"""The options that every command has, and how its help looks."""

import argparse
import os
from pathlib import Path

CONFIGURATION = Path("/etc/ota/agent.toml")


class Help(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal. argparse would ask shutil, and a daemon keep its libraries."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """Of the terminal, as shutil.get_terminal_size finds them."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size().columns or 80
    except OSError:  # closed, or no terminal
        return 80


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add where the configuration is, and how much is logged."""
    parser.add_argument(
        "--config",
        "-c",
        type=Path,
        default=CONFIGURATION,
        metavar="FILE",
        help="configuration (default: %(default)s; Mender's is read, too)",
    )
    parser.add_argument(
        "--log-level",
        "-l",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="how much to log to stderr (default: %(default)s)",
    )
