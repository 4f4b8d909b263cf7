# SPDX-License-Identifier: Apache-2.0
"""Every command is in the reference, and its help has an example that the command accepts."""

import argparse

import pytest

from ota_artifact.cli.failure import Failure
from tests.house.cli_reference import calls, examples, leaves, parsers, render
from tests.house.tree import place


def without_example(parser: argparse.ArgumentParser) -> list[str]:
    """The commands whose help shows no call of themselves."""
    every = (parser, *leaves(parser))
    return [each.prog for each in every if not _own_calls(each, parser.prog)]


def refused_examples(parser: argparse.ArgumentParser) -> list[str]:
    """The examples that the parser itself does not take."""
    return [
        example
        for each in (parser, *leaves(parser))
        for example in examples(each)
        for arguments in calls(example, parser.prog)
        if not _accepts(parser, arguments)
    ]


def _own_calls(leaf: argparse.ArgumentParser, command: str) -> list[list[str]]:
    words = leaf.prog.split()[1:]
    found = [call for example in examples(leaf) for call in calls(example, command)]
    return [call for call in found if call[: len(words)] == words]


def _accepts(parser: argparse.ArgumentParser, arguments: list[str]) -> bool:
    try:
        parser.parse_args(arguments)
    except (SystemExit, Failure):
        return False
    return True


def test_every_command_has_an_example_in_its_help() -> None:
    missing = [command for parser in parsers().values() for command in without_example(parser)]

    assert missing == []


def test_every_example_is_accepted_by_its_command() -> None:
    refused = [example for parser in parsers().values() for example in refused_examples(parser)]

    assert refused == []


def test_the_reference_of_every_command_is_current() -> None:
    stale = [
        f"{place(page)}: stale; run `make docs`"
        for page, parser in parsers().items()
        if not page.exists() or page.read_text(encoding="utf-8") != render(parser)
    ]

    assert parsers()
    assert stale == []


def pets(epilog: str) -> argparse.ArgumentParser:
    """A command ``pets`` with two commands to find; the epilog is the second one's."""
    parser = argparse.ArgumentParser(
        prog="pets", description="Keeps pets.", epilog="example:\n  pets list"
    )
    sub = parser.add_subparsers()
    sub.add_parser("hidden", help=argparse.SUPPRESS)
    sub.add_parser("list", help="show all", epilog="example:\n  pets list")
    add = sub.add_parser("add", help="add one").add_subparsers()
    cat = add.add_parser("cat", help="a cat", description="Adds a cat.", epilog=epilog)
    cat.add_argument("name", help="what it hears to")
    cat.add_argument("-c", "--colour", required=True, choices=("red", "grey"), help="of its fur")
    cat.add_argument("--age", type=int, default=1, help="in years (default: %(default)s)")
    cat.add_argument("--secret", help=argparse.SUPPRESS)
    return parser


def test_commands_are_found_at_their_depth_and_hidden_ones_are_not() -> None:
    assert [leaf.prog for leaf in leaves(pets(""))] == ["pets list", "pets add cat"]


@pytest.mark.parametrize(
    "epilog", ["", "pets add cat -c red Tom", "example:", "examples:\n  pets list"]
)
def test_a_command_without_an_example_of_itself_is_found(epilog: str) -> None:
    assert without_example(pets(epilog)) == ["pets add cat"]


@pytest.mark.parametrize(
    "epilog",
    [
        "example: pets add cat -c red Tom",
        "Purrs.\n\nExamples:\n  pets list | pets add cat x -c red\n  pets list  # all of them",
    ],
)
def test_a_command_with_an_example_passes(epilog: str) -> None:
    assert without_example(pets(epilog)) == []
    assert refused_examples(pets(epilog)) == []


@pytest.mark.parametrize("wrong", ["Tom", "-c blue Tom", "-c red --breed lion Tom"])
def test_an_example_that_the_command_refuses_is_found(wrong: str) -> None:
    example = f"echo 1 | pets add cat {wrong} > list"

    assert refused_examples(pets(f"example:\n  {example}")) == [example]


def test_the_page_shows_what_the_help_shows() -> None:
    page = render(pets("Purrs.\n\nexample:\n  pets add cat -c red Tom"))

    assert page == PAGE


PAGE = """\
# pets

<!-- Made by `make docs` from the command's own parser: do not edit. -->

Keeps pets.

| Command | |
|---|---|
| `pets list` | show all |
| `pets add cat` | a cat |

Example:

```sh
pets list
```

## pets list

```
pets list
```

Example:

```sh
pets list
```

## pets add cat

Adds a cat.

```
pets add cat -c, --colour {red,grey} [options] name
```

| Positional arguments | |
|---|---|
| `name` | what it hears to |

| Options | |
|---|---|
| `-c, --colour {red,grey}` | of its fur (required) |
| `--age AGE` | in years (default: 1) |

Purrs.

Example:

```sh
pets add cat -c red Tom
```
"""
