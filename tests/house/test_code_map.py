# SPDX-License-Identifier: Apache-2.0
"""The map of the code agrees with the source."""

import re
from pathlib import Path

import pytest

from tests.house.arrows import ROOMS
from tests.house.code_map import PAGE, page
from tests.house.tree import ROOT

READMES = sorted(ROOT.glob("tools/**/README.md"))


def rooms(readme: str) -> list[str]:
    """The first column of the table under the heading Rooms."""
    section = readme.partition("\n## Rooms\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| [^\s|]", section, re.MULTILINE)


def missing_modules(readme: str, root: Path = ROOT) -> list[str]:
    """The modules that a page names, such as `ota_agent/errors.py`, and that do not exist."""
    named = re.findall(r"`(ota_(\w+)/[\w/]+\.py)`", readme)
    return [path for path, tool in named if not (root / "tools" / tool / "src" / path).is_file()]


def test_the_lists_on_the_map_are_those_of_the_source() -> None:
    text = PAGE.read_text("utf-8")

    assert page(text) == text, "stale; run make docs"


def test_a_stale_list_is_found() -> None:
    text = PAGE.read_text("utf-8")

    stale = text.replace("\nadmission    errors", "\nadmission    cli", 1)

    assert stale != text
    assert page(stale) == text


def test_a_page_without_a_place_for_a_list_is_refused() -> None:
    text = PAGE.read_text("utf-8").replace("<!-- ota_agent -->", "")

    with pytest.raises(ValueError, match="write <!-- ota_agent -->"):
        page(text)


@pytest.mark.parametrize("package", ROOMS)
def test_the_readme_of_a_package_has_a_line_for_each_of_its_rooms(package: str) -> None:
    readme = ROOT / "tools" / package.removeprefix("ota_") / "README.md"

    assert rooms(readme.read_text("utf-8")) == list(ROOMS[package])


def test_a_room_without_a_purpose_is_found() -> None:
    readme = "# A\n\n## Rooms\n\n| Room | |\n|---|---|\n| `attic` | boxes |\n| `hall` | |\n\n## B\n"

    assert rooms(readme) == ["attic"]


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_module_that_a_page_names_exists(readme: Path) -> None:
    assert missing_modules(readme.read_text("utf-8")) == []


def test_a_module_that_does_not_exist_is_found() -> None:
    assert len(READMES) > 5
    assert missing_modules("`ota_agent/errors.py` `ota_agent/attic/box.py`") == [
        "ota_agent/attic/box.py"
    ]
