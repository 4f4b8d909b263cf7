# SPDX-License-Identifier: Apache-2.0
"""The pages about the Yocto layer are right: commands, files, variables, fields, messages."""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ota_artifact.cli.failure import Failure
from ota_board.load import load_board
from tests.house.cli_reference import calls, leaves, parsers
from tests.house.tree import ROOT
from tests.yocto.said import GAP, is_said, stops, texts
from tests.yocto.variables import INTERNAL, variables

PORT, MIGRATION, TROUBLE = (
    ROOT / "docs" / "howto" / f"{name}.md"
    for name in ("port-a-board-with-yocto", "from-meta-mender", "yocto-troubleshooting")
)
TUTORIAL = ROOT / "docs" / "tutorial" / "yocto-image.md"
PAGES = (TUTORIAL, PORT, MIGRATION, TROUBLE)
MADE = {"release.yml", "boards/gate/kas.yml"}
"""Files for kas that the reader of a page makes."""

COMMANDS = {parser.prog: parser for parser in parsers().values()}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_KAS = re.compile(r"\bkas (?:build|dump|shell|lock|menu|checkout) ([\w./:-]+\.yml)")
_VARIABLE = re.compile(r"\bOTA_[A-Z_]+\b")
_FIELD = re.compile(
    r"(?:storage|partitions|bootloader|environment|firmware|kernel|console|watchdog|yocto)"
    r"(?:\.[a-z_]+)+"
)
_KEY = re.compile(r"\[(\w+)\] (\w+)")


def kas_files(page: str) -> set[str]:
    """The files that kas is called with, or that are named with their folder."""
    called = {name for files in _KAS.findall(page) for name in files.split(":")}
    return called | set(re.findall(r"`([\w-]+/[\w/-]+\.yml)`", page))


def lines(page: str) -> Iterator[str]:
    """The whole command lines of a page, in fences or indented."""
    blocks = [text for language, text in _FENCE.findall(page) if language in ("sh", "console")]
    rest = _FENCE.sub("", page)
    blocks += re.findall(r"(?:^ {4}\S.*\n)+", rest, re.MULTILINE)
    for block in blocks:
        yield from re.sub(r"\\\n\s*", "", block).splitlines()


def refused(page: str) -> list[str]:
    """The calls of our commands that the command itself would refuse."""
    found = []
    for line in lines(page):
        for command, parser in COMMANDS.items():
            if re.search(rf"(?<![\w/.'-]){command} ", line):
                found += [line for each in calls(line, command) if not _takes(parser, each)]
    return found


def unknown_options(page: str) -> list[str]:
    """Sub-commands and options in inline code that the command does not have."""
    found = []
    for code in _CODE.findall(_FENCE.sub("", page)):
        words = code.split()
        if words[0] not in COMMANDS or len(words) == 1:
            continue
        own = [leaf for leaf in leaves(COMMANDS[words[0]]) if code.startswith(leaf.prog)]
        options = {option for leaf in own for option in leaf._option_string_actions}
        if not own or {word for word in words if word.startswith("--")} - options:
            found.append(code)
    return found


def unknown_variables(page: str) -> set[str]:
    """The variables of ours that are not in the table, or that users must not set."""
    table = variables()
    return {
        name
        for name in _VARIABLE.findall(page)
        if name not in table or table[name]["default"] == INTERNAL
    }


def unknown_fields(page: str) -> set[str]:
    """The fields of board.yaml that its reader does not know."""
    reader = (ROOT / "tools/board/src/ota_board/load.py").read_text("utf-8")
    fields = {name for code in _CODE.findall(page) for name in _FIELD.findall(code)}
    return {name for name in fields if not all(f'"{each}"' in reader for each in name.split("."))}


def unknown_keys(page: str) -> set[str]:
    """The keys of the agent, as `[section] key`, that its reference does not have."""
    reference = (ROOT / "docs/reference/agent-toml.md").read_text("utf-8")
    found = set()
    for section, key in _KEY.findall(page):
        own = reference.partition(f"\n## [{section}]\n")[2].partition("\n## ")[0]
        if f"| `{key}` |" not in own:
            found.add(f"[{section}] {key}")
    return found


def unsaid(page: str, known: list[str]) -> list[str]:
    """The messages that a page quotes and that are not in the code."""
    quotes = [text.strip() for language, text in _FENCE.findall(page) if language == "text"]
    quotes += [re.sub(r"\d+", GAP, code) for code in _CODE.findall(page) if code[:5] == "OTA: "]
    return [quote for quote in quotes if not is_said(quote, known)]


def _takes(parser: argparse.ArgumentParser, arguments: list[str]) -> bool:
    try:
        parser.parse_args(arguments)
    except (SystemExit, Failure):
        return False
    return True


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_command_of_ours_is_one_that_it_takes(path: Path) -> None:
    page = path.read_text("utf-8")

    assert refused(page) == []
    assert unknown_options(page) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_file_that_kas_is_called_with_is_there(path: Path) -> None:
    names = kas_files(path.read_text("utf-8")) - MADE

    assert [name for name in names if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_variable_field_and_key_is_known(path: Path) -> None:
    page = path.read_text("utf-8")

    assert unknown_variables(page) == set()
    assert unknown_fields(page) == set()
    assert unknown_keys(page) == set()


@pytest.mark.boot  # reads the code of all tools
def test_every_message_that_is_quoted_is_in_the_code() -> None:
    page = TROUBLE.read_text("utf-8")

    known = list(texts())

    assert page.count("```text\n") > 10
    assert unsaid(page, known) == []


def test_every_message_that_stops_a_build_is_explained() -> None:
    quotes = [text for language, text in _FENCE.findall(TROUBLE.read_text("utf-8"))]

    messages = list(stops())

    assert len(messages) > 5
    assert [said for said in messages if not any(is_said(each, [said]) for each in quotes)] == []


def test_a_message_that_is_not_in_the_code_is_found() -> None:
    page = "```text\n…: no such cat; feed …\n```\n`OTA: partition 7 purrs`\n"

    found = unsaid(page, ["a: no such cat", f"OTA: partition {GAP} does not load"])

    assert found == ["…: no such cat; feed …", f"OTA: partition {GAP} purrs"]
    assert unsaid(page, [f"{GAP}: no such cat; feed {GAP}", f"OTA: partition {GAP} purrs"]) == []


def test_every_name_of_meta_mender_has_one_counterpart() -> None:
    """Its registry has 162 names: 42 are another name with _DEFAULT added, and have no row."""
    page = MIGRATION.read_text("utf-8")
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]

    names = Counter(name for cell in cells for name in re.findall(r"\bMENDER_\w+", cell))

    assert {name for name, count in names.items() if count > 1} == set()
    assert len(set(re.findall(r"\bMENDER_[A-Z0-9_]*[A-Z0-9]\b", page))) == 162 - 42


def test_the_layout_of_meta_mender_is_the_one_that_its_classes_compute(tmp_path: Path) -> None:
    """Source: meta-mender, mender-setup-image.inc: half of the rest of 1024 MiB."""
    (fields,) = [text for language, text in _FENCE.findall(MIGRATION.read_text()) if language]
    board = (ROOT / "boards/beaglebone-black/board.yaml").read_text("utf-8")
    for section in yaml.safe_load(fields):
        board = re.sub(rf"^{section}:\n(?: .*\n)*", "", board, flags=re.MULTILINE)
    (tmp_path / "board.yaml").write_text(board + fields)
    slot = (1024 - 16 - 128 - 2 * 8 - 2 * 8) // 2

    layout = load_board(tmp_path).layout

    assert [(area.number, area.offset >> 20, area.size >> 20) for area in layout.partitions] == [
        (1, 24, 16),
        (2, 40, slot),
        (3, 40 + slot, slot),
        (4, 40 + 2 * slot, 128),
    ]
    assert [area.offset for area in layout.environment] == [0x800000, 0x1000000]


def test_a_slot_leads_to_what_menders_client_has_left_on_data() -> None:
    """Its key and settings, as the page on meta-mender says, and as in images of Debian."""
    recipe = (ROOT / "meta-ota/recipes-ota/ota-kit/ota-agent_0.1.0.bb").read_text("utf-8")
    image = yaml.safe_load((ROOT / "images/minimal.yaml").read_text("utf-8"))

    links = {each["at"]: each["to"] for each in image["links"]}

    for name in ("mender", "ota"):
        line = f"ln -s {links[f'/var/lib/{name}']} ${{D}}${{localstatedir}}/lib/{name}\n"
        assert line in recipe


def test_what_does_not_exist_is_found() -> None:
    page = (
        "    ota-image inspect\n    kas build kas.yml:boards/cat/kas.yml\n`kas/dog.yml`, "
        "`ota-board purr`, `ota-image doctor --cat`, `OTA_CAT`, `OTA_PARTS`, `storage.cat`,"
        " `[server] cat`\n```sh\nota-board new \\\n  --cat\n```\n"
    )

    assert refused(page) == ["ota-board new --cat", "    ota-image inspect"]
    assert unknown_options(page) == ["ota-board purr", "ota-image doctor --cat"]
    assert kas_files(page) == {"kas.yml", "boards/cat/kas.yml", "kas/dog.yml"}
    assert unknown_variables(page) == {"OTA_CAT", "OTA_PARTS"}
    assert unknown_fields(page) == {"storage.cat"}
    assert unknown_keys(page) == {"[server] cat"}
