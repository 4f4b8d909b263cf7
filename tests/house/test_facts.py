# SPDX-License-Identifier: Apache-2.0
"""A fact that packages share is written down in one of them."""

import pytest

from tests.house.facts import Fact, facts, scattered
from tests.house.tree import files, place, tools

ALLOWED = {"disk.sdimg": "each calls a copy of its own so, which nothing else reads"}
"""Facts that several packages may write down, and why."""


@pytest.fixture(scope="module")
def tree() -> list[Fact]:
    found = []
    for tool in tools():
        for path in files("*.py", root=tool.path.parent / "src"):
            found += facts(tool.package, place(path), path.read_text("utf-8"))
    return found


def test_no_two_packages_write_the_same_fact_down(tree: list[Fact]) -> None:
    assert len(tree) > 100
    assert scattered(tree, ALLOWED) == []


def test_what_several_packages_may_write_down_they_do(tree: list[Fact]) -> None:
    assert [text for text in ALLOWED if scattered(tree, {*ALLOWED} - {text}) == []] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('PATH = Path("/etc/ota/release")', 'tree.add("/etc/ota/release")'),
        ('FILE = "/layout.json"', 'files["layout.json"]'),
        ('PART = "mender_boot_part"', 'f"mender_boot_part={number}"'),
        ('x.startswith(b"artifact_name=")', 'NAME = "artifact_name"'),
        ('A = "OTA_DISK"', 'values["OTA_DISK"]'),
        ('A = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"',) * 2,
    ],
)
def test_a_fact_of_two_packages_is_found_in_any_form(one: str, other: str) -> None:
    (said,) = scattered([*facts("ota_a", "a.py", one), *facts("ota_b", "b.py", other)])

    assert "in a.py:1 and b.py:1; import it from one of them" in said


def test_what_one_package_writes_twice_and_text_for_people_pass() -> None:
    source = 'A = "/etc/ota/release"\nB = "/etc/ota/release"\n'
    text = '"""Reads /etc/ota/release."""\nwarn("bootcount is 1", "the file /etc/ota/release")\n'

    found = [*facts("ota_a", "a.py", source), *facts("ota_b", "b.py", text)]

    assert len(found) == 2
    assert scattered(found) == []


def test_what_is_allowed_is_not_found() -> None:
    found = [*facts("ota_a", "a.py", '"bootcount"'), *facts("ota_b", "b.py", '"bootcount"')]

    assert scattered(found, {"bootcount"}) == []
    assert len(scattered(found)) == 1
