# SPDX-License-Identifier: Apache-2.0
"""The parser of a command line that has sub-commands, and how it refuses one that is wrong."""

import argparse
import sys
from typing import Any, NoReturn

_WRONG = 2


class Usage(argparse.ArgumentParser):
    """A parser without abbreviations. Its sub-commands are parsed by the same class."""

    def __init__(self, **options: object) -> None:
        settings: dict[str, object] = {
            "allow_abbrev": False,
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }
        super().__init__(**(settings | options))  # type: ignore[arg-type]

    def add_subparsers(self, **options: Any) -> Any:
        """Add the group of sub-commands; without one of them, the command prints its help."""
        self.set_defaults(run=self._show_help)
        return super().add_subparsers(**options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is, and end."""
        self.print_usage(sys.stderr)
        self.exit(_WRONG, f"{self.prog}: {message}; see {self.prog} --help\n")

    def _show_help(self, _: argparse.Namespace) -> int:
        self.print_help()
        return 0
