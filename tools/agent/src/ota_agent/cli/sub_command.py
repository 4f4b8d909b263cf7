# SPDX-License-Identifier: Apache-2.0
"""What every sub-command has: a help of the same form, and two options."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ota_artifact.device_files import AGENT_TOML

if TYPE_CHECKING:
    from ota_agent.config.settings import Settings

CONFIGURATION = Path(AGENT_TOML)

SubParsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


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


def command(
    *,
    help: str,
    description: str,
    examples: tuple[str, ...],
    options: Callable[[argparse.ArgumentParser], None] = lambda _: None,
) -> Callable[[Callable[[argparse.Namespace], int]], Callable[[SubParsers], None]]:
    """Make a function the sub-command of its name; gives the function that adds its parser.

    Args:
        options: adds its own options.
    """

    def decorate(run: Callable[[argparse.Namespace], int]) -> Callable[[SubParsers], None]:
        def add_parser(sub: SubParsers) -> None:
            parser = sub.add_parser(
                run.__name__.replace("_", "-"),
                help=help,
                description=description,
                epilog="\n  ".join(("examples:" if examples[1:] else "example:", *examples)),
                formatter_class=Help,
            )
            parser.set_defaults(run=run)
            options(parser)
            _add_common(parser)

        return add_parser

    return decorate


def settings_of(args: argparse.Namespace) -> "Settings":
    """The settings that a sub-command works with.

    Raises:
        AgentError: a configuration that was named is not there, or cannot be.
    """
    from ota_agent.config.settings import load_settings  # --version does without

    return load_settings(args.config, is_needed=args.config != CONFIGURATION)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option of commands that can print JSON."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Add where the configuration is, and how much is logged."""
    parser.add_argument(
        "--config",
        "-c",
        type=Path,
        default=CONFIGURATION,
        metavar="FILE",
        help="configuration (default: %(default)s; Mender's is also read)",
    )
    parser.add_argument(
        "--log-level",
        "-l",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="how much to log to stderr (default: %(default)s)",
    )
