# SPDX-License-Identifier: Apache-2.0
"""The reference of each command, written from the parser that the command itself uses.

`make docs` writes docs/reference/cli-<command>.md; a test says when it is stale. The text is made
here and not by argparse, whose layout changes from one Python to the next.
"""

import argparse
import importlib
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.house.tree import ROOT, place, tools


def parsers() -> dict[Path, argparse.ArgumentParser]:
    """Every command's page and parser."""
    return {
        ROOT / "docs" / "reference" / f"cli-{command}.md": _parser(module)
        for tool in tools()
        for command, module in tool.commands
    }


def _parser(module: str) -> argparse.ArgumentParser:
    parser = importlib.import_module(module).build_parser()
    assert isinstance(parser, argparse.ArgumentParser)
    return parser


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers that take no further sub-command, hidden ones left out, in their order."""
    children = [child for child, _ in _children(parser)]
    if not children:
        yield parser
    for child in children:
        yield from leaves(child)


def _children(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """The sub-commands that the help shows, each with its one line."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            by_name: Mapping[str, argparse.ArgumentParser] = action.choices
            for choice in action._choices_actions:
                if choice.help != argparse.SUPPRESS:
                    yield by_name[choice.dest], choice.help or ""


def examples(parser: argparse.ArgumentParser) -> list[str]:
    """The commands that a help text shows after a line ``example:`` or ``examples:``."""
    _, _, below = _split_epilog(parser)
    return [line.strip() for line in below if line.strip()]


def _split_epilog(parser: argparse.ArgumentParser) -> tuple[list[str], str, list[str]]:
    """The text before the line that says ``example:``, that line, and the text after it."""
    lines = (parser.epilog or "").replace("%(prog)s", parser.prog).splitlines()
    for index, line in enumerate(lines):
        label, colon, rest = line.strip().partition(":")
        if label.lower() in ("example", "examples") and colon:
            return lines[:index], line, [rest, *lines[index + 1 :]]
    return lines, "", []


def calls(example: str, command: str) -> Iterator[list[str]]:
    """The arguments of each call of a command that a shell line makes."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words = iter(lexer)
    for word in words:
        if word == command:
            arguments = []
            for argument in words:
                if re.fullmatch(r"[|&;<>]+", argument):
                    break
                arguments.append(argument)
            yield arguments


def render(parser: argparse.ArgumentParser) -> str:
    """The whole page of one command."""
    parts = [
        f"# {parser.prog}\n",
        "<!-- Made by `make docs` from the command's own parser: do not edit. -->\n",
        *_body(parser),
    ]
    for leaf in leaves(parser):
        if leaf is not parser:
            parts += [f"## {leaf.prog}\n", *_body(leaf)]
    return "\n".join(parts)


def _body(parser: argparse.ArgumentParser) -> Iterator[str]:
    above, _, below = _split_epilog(parser)
    if parser.description:
        yield _filled(parser.description)
    if children := list(_children(parser)):
        yield _table("Command", ((child.prog, text) for child, text in _tree(children)))
    else:
        yield f"```\n{_usage(parser)}\n```\n"
    for group in parser._action_groups:
        rows = [(_flags(action), _help(action, parser)) for action in _shown(group)]
        if rows:
            title = group.title or "Options"
            yield _table(title[:1].upper() + title[1:], rows)
    if text := _filled("\n".join(above)).strip():
        yield text + "\n"
    if lines := [line.strip() for line in below if line.strip()]:
        yield "Examples:\n" if len(lines) > 1 else "Example:\n"
        yield "```sh\n" + "\n".join(lines) + "\n```\n"


def _tree(
    children: list[tuple[argparse.ArgumentParser, str]],
) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    for child, text in children:
        grandchildren = list(_children(child))
        if grandchildren:
            yield from _tree(grandchildren)
        else:
            yield child, text


def _shown(group: argparse._ArgumentGroup) -> Iterator[argparse.Action]:
    for action in group._group_actions:
        if action.help != argparse.SUPPRESS and not isinstance(
            action, argparse._SubParsersAction | argparse._HelpAction
        ):
            yield action


def _usage(parser: argparse.ArgumentParser) -> str:
    words = [parser.prog]
    shown = [action for group in parser._action_groups for action in _shown(group)]
    words += [f"{_flags(action)}" for action in shown if action.option_strings and action.required]
    if any(action.option_strings and not action.required for action in shown):
        words.append("[options]")
    words += [_value(action) for action in shown if not action.option_strings]
    return " ".join(words)


def _flags(action: argparse.Action) -> str:
    """How an option is written, such as ``-o, --output FILE``, or a positional's name."""
    value = _value(action)
    if not action.option_strings:
        return value
    return " ".join(filter(None, (", ".join(action.option_strings), value)))


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, str):
        name = action.metavar
    elif isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    elif action.choices is not None:
        name = "{" + ",".join(str(choice) for choice in action.choices) + "}"
    else:
        name = action.dest.upper() if action.option_strings else action.dest
    match action.nargs:
        case "?":
            return f"[{name}]"
        case "*":
            return f"[{name} ...]"
        case "+":
            return f"{name} [{name} ...]"
        case _:
            return name


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    return text if not (action.required and action.option_strings) else f"{text} (required)"


def _table(title: str, rows: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> str:
    lines = [f"| {title} | |", "|---|---|"]
    lines += [f"| `{_cell(left)}` | {_cell(right)} |" for left, right in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _filled(text: str) -> str:
    """Paragraphs without the indent that help texts have in the source."""
    return "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"


def main() -> int:
    """Write the pages, or print which are stale."""
    options = argparse.ArgumentParser(prog="cli_reference", description=__doc__)
    options.add_argument("--write", action="store_true", help="write the pages")
    write = options.parse_args().write
    stale = 0
    for page, parser in parsers().items():
        text = render(parser)
        if write:
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            stale += 1
            sys.stderr.write(f"{place(page)}: stale; run `make docs`\n")
    return 2 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
