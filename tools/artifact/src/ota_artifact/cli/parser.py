# SPDX-License-Identifier: Apache-2.0
"""argparse, made to accept the command lines of mender-artifact.

That one uses Go's flag package, which differs: ``-artifact-name x`` with one dash, ``--k`` with
two, values that begin with a dash, ``--no-progress=false``.
"""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from ota_artifact.cli.failure import Exit, Failure

Subparsers = argparse._SubParsersAction  # argparse has no public name for what it returns


class Parser(argparse.ArgumentParser):
    """A parser without abbreviations, which raises errors instead of exiting."""

    def __init__(self, **options: object) -> None:
        settings: dict[str, object] = {
            "allow_abbrev": False,
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }
        super().__init__(**(settings | options))  # type: ignore[arg-type]

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Fail on unknown arguments here, so that the error names the sub-command."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise the usage error.

        Raises:
            Failure: always; for an unknown sub-command with the code of mender-artifact.
        """
        is_command = re.match(r"argument (command|kind): invalid choice", message)
        code = Exit.CREATE if is_command else Exit.WRONG
        raise Failure(f"{message}; see {self.prog} --help", code)

    def show_help(self, _: argparse.Namespace) -> int:
        """Print the help: what a command does if its sub-command is missing."""
        self.print_help()
        return Exit.DONE


class Ordered(argparse._StoreAction):
    """Stores a value, and in ``given`` the order of these options on the command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        super().__call__(parser, namespace, values, option_string)
        _note(namespace, self.dest, values)


class OrderedAppend(argparse._AppendAction):
    """Appends a value, and keeps the order as `Ordered` does."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        super().__call__(parser, namespace, values, option_string)
        _note(namespace, self.dest, values)


def _note(namespace: argparse.Namespace, name: str, value: object) -> None:
    namespace.given = (*getattr(namespace, "given", ()), (name, value))


def spelled_out(parser: argparse.ArgumentParser, argv: Sequence[str]) -> list[str]:
    """The same command line spelled for argparse: long options, each with ``=`` and its value."""
    words = iter(argv)
    result: list[str] = []
    for word in words:
        if word == "--":
            return [*result, word, *words]
        if not word.startswith("-") or word == "-":
            parser = _command(parser, word)
            result.append(word)
            continue
        name, equals, value = word.partition("=")
        option = _option(parser, name)
        if option is None:
            result.append(word)
        elif option.nargs == 0:
            if not equals or _truth(name, value):
                result.append(option.option_strings[-1])
        elif equals:
            result.append(f"{option.option_strings[-1]}={value}")
        elif (following := next(words, None)) is not None:
            result.append(f"{option.option_strings[-1]}={following}")
        else:
            result.append(option.option_strings[-1])
    return result


def _truth(name: str, value: str) -> bool:
    """A truth value as Go writes them."""
    if value in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if value in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise Failure(f"{name}: {value!r} is neither true nor false")


def _command(parser: argparse.ArgumentParser, word: str) -> argparse.ArgumentParser:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            chosen: argparse.ArgumentParser = action.choices.get(word, parser)
            return chosen
    return parser


def _option(parser: argparse.ArgumentParser, name: str) -> argparse.Action | None:
    """The option that Go would find under this name; its last spelling is the long one."""
    bare = name[2:] if name.startswith("--") else name[1:]
    wanted = f"-{bare}" if len(bare) == 1 else f"--{bare}"
    return parser._option_string_actions.get(wanted)
