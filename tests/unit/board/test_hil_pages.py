# SPDX-License-Identifier: Apache-2.0
"""The pages that come from hil.yaml and from its dataclasses are current, and complete."""

import dataclasses

import pytest

from ota_agent.config.section import attribute_docs
from ota_board.hil import Death, Hil, Milestone, Power, Symptom, Wire
from ota_board.load import all_boards, load_board
from tests.house.tree import ROOT
from tests.unit.board import bring_up, hil_reference


def test_the_reference_is_current() -> None:
    assert hil_reference.PAGE.read_text("utf-8") == hil_reference.render(), "run `make docs`"


@pytest.mark.parametrize("kind", [Hil, Milestone, Death, Symptom, Wire, Power])
def test_every_field_is_explained(kind: type[object]) -> None:
    assert list(attribute_docs(kind)) == [
        each.name
        for each in dataclasses.fields(kind)  # type: ignore[arg-type]
    ]


def test_the_tables_of_bring_up_are_current() -> None:
    text = bring_up.PAGE.read_text("utf-8")

    assert bring_up.page(text) == text, "run `make docs`"


def test_a_stale_table_is_found() -> None:
    text = bring_up.PAGE.read_text("utf-8")

    stale = text.replace("| `Starting kernel ...` |", "| `Starting Linux` |")

    assert stale != text
    assert bring_up.page(stale) == text


def test_a_marker_for_no_table_is_refused() -> None:
    with pytest.raises(KeyError, match="colours"):
        bring_up.page("<!-- colours qemu-arm -->\n<!-- end -->\n")


@pytest.mark.parametrize("table", ["wiring", "start", "milestones", "symptoms"])
def test_every_board_that_needs_hardware_has_every_table(table: str) -> None:
    text = bring_up.PAGE.read_text("utf-8")
    boards = (load_board(path) for path in all_boards([ROOT / "boards"]))

    real = [each.name for each in boards if not each.storage.grows]

    assert real == ["beaglebone-black", "raspberrypi3"]
    assert all(f"<!-- {table} {name} -->\n" in text for name in real)
