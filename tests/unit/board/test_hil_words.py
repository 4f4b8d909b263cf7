# SPDX-License-Identifier: Apache-2.0
"""hil.yaml waits for what our own scripts and our agent print; a typo is found."""

from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.hil import Pattern, Printer
from ota_board.load import all_boards, load_board
from tests.house.tree import ROOT
from tests.system.described import agent, hil_of, scripts, typos

BOARDS = all_boards([ROOT / "boards"])


@pytest.mark.parametrize("folder", BOARDS, ids=lambda path: path.name)
def test_the_words_of_our_own_lines_are_in_our_own_programs(folder: Path) -> None:
    programs: dict[Printer, bytes] = {"system": scripts(), "agent": agent()}

    # What prints the login prompt is not ours; the starts in tests/system have it.
    assert [
        each for each in typos(hil_of(load_board(folder)), programs) if "login:" not in each
    ] == []


def test_a_typo_is_found() -> None:
    hil = hil_of(load_board(BOARDS[0]))
    death = replace(hil.deaths[0], pattern=Pattern("Kernel panik - *"), by="linux")

    assert typos(replace(hil, deaths=(death,), milestones=()), {"linux": b"Kernel panic - "}) == [
        "'Kernel panik - *': linux does not print 'Kernel panik - '"
    ]
