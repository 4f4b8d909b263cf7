# SPDX-License-Identifier: Apache-2.0
"""Reading hil.yaml: an error has file, line, field and remedy."""

from pathlib import Path

import pytest

from ota_board.errors import BoardError
from ota_board.hil import POWER, Hil
from ota_board.load import all_boards, load_board
from ota_board.load_hil import load_hil, load_shared
from tests.house.tree import ROOT

BOARDS = ROOT / "boards"

SHARED = """\
schema: 1
milestones:
  u-boot: {pattern: U-Boot 20*, by: bootloader, bootloader: u-boot, missing: look above}
  menu: {pattern: GRUB menu, by: bootloader, bootloader: grub}
  trial: {pattern: trial boot of *, by: bootloader, only: after an update}
  login: {pattern: "* login:", by: system}
deaths:
  - {pattern: Kernel panic, by: linux, means: it died, remedy: wait}
  - {pattern: no such device, by: bootloader, bootloader: grub, means: no disk, remedy: add one}
"""

MINE = """\
schema: 1
basis: qemu
milestones:
  spl: {pattern: U-Boot SPL 20*, by: spl, within: 5, basis: estimate}
  u-boot: {within: 3}
  trial: {}
  login: {within: 60}
  web: {pattern: port 80 is open, by: system, after: u-boot, within: 70}
deaths:
  - {pattern: CCCC, by: rom, means: no MLO, remedy: write the card}
symptoms:
  - {seen: no light, means: no power, remedy: another supply}
wiring:
  - {board: J1 pin 1, signal: ground, adapter: GND}
power: {supply: 5 V, off: 5, feeds: the adapter}
start: [put the card in, switch it on]
"""


def loaded(folder: Path, mine: str = MINE, shared: str = SHARED) -> Hil:
    """The board's file, with the one of all boards."""
    (folder / "hil.yaml").write_text(mine)
    (folder / "shared.yaml").write_text(shared)
    found = load_hil(folder, "u-boot", folder / "shared.yaml")
    assert found
    return found


@pytest.mark.parametrize("folder", all_boards([BOARDS]), ids=lambda path: path.name)
def test_every_board_of_ours_has_one_that_is_right(folder: Path) -> None:
    board = load_board(folder)

    hil = load_hil(folder, board.bootloader.kind)

    assert hil
    assert {"booting", "userspace", "login", "agent"} <= {each.name for each in hil.required}
    assert hil.required[0].after == POWER
    is_real = board.name in ("beaglebone-black", "raspberrypi3")
    assert bool(hil.power and hil.wiring and hil.start and hil.symptoms) == is_real
    assert "hardware" not in {each.basis for each in hil.milestones}, "say so in its README"


def test_every_pattern_of_all_boards_is_used_by_one() -> None:
    file = BOARDS / "hil.yaml"
    shared = {*load_shared(file, "u-boot").milestones, *load_shared(file, "grub").milestones}
    used = set()
    for folder in all_boards([BOARDS]):
        hil = load_hil(folder, load_board(folder).bootloader.kind)
        assert hil
        used |= {each.name for each in hil.milestones}

    assert shared - used == set()


def test_a_board_without_one_is_allowed(tmp_path: Path) -> None:
    assert load_hil(tmp_path, "grub") is None


def test_a_milestone_takes_from_all_boards_what_its_board_does_not_say(tmp_path: Path) -> None:
    hil = loaded(tmp_path)

    spl, u_boot, trial, login, web = hil.milestones
    assert (u_boot.pattern.text, u_boot.missing) == ("U-Boot 20*", "look above")
    assert [each.after for each in (spl, u_boot, trial, login, web)] == [
        *("power", "spl", "", "u-boot", "u-boot")
    ]
    assert (spl.basis, u_boot.basis) == ("estimate", "qemu")
    assert [each.name for each in hil.required] == ["spl", "u-boot", "login", "web"]
    assert [each.pattern.text for each in hil.deaths] == ["CCCC", "Kernel panic"]


def test_what_comes_only_sometimes_is_there_without_being_named(tmp_path: Path) -> None:
    hil = loaded(tmp_path, MINE.replace("  trial: {}\n", ""))

    assert hil.milestones[-1].name == "trial"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("schema: 1", "schema: 2", r":1: schema: must be 1; a newer one needs a newer ota-board"),
        ("basis: qemu", "basis: dream", r":2: basis: 'dream' is not one of hardware, qemu, est"),
        ("basis: qemu", "speed: 9600", r":2: speed: unknown field; known: basis, deaths, miles"),
        (", by: spl", "", r":4: milestones.spl.by: is missing"),
        ("by: spl", "by: elf", r":4: milestones.spl.by: 'elf' is not one of rom, "),
        ("U-Boot SPL 20*", "'***'", r":4: milestones.spl.pattern: '\*\*\*' would be found by c"),
        ("within: 5", "within: 0", r":4: milestones.spl.within: 0 must be from 1 to 3600 seconds"),
        ("within: 5", "within: 5.5", r":4: milestones.spl.within: '5.5' is not a whole number"),
        (", within: 5", "", r":4: milestones.spl.within: is missing"),
        ("within: 5", "withn: 5", r":4: milestones.spl.withn: unknown field; known: after, basi"),
        ("  u-boot: {", "  boot: {", r":4: milestones: 'boot' needs a pattern; only those of all"),
        ("  u-boot: {", "  boot: {", r".* have one already: u-boot, trial, login$"),
        ("pattern: CCCC, ", "", r":10: deaths\[0\].pattern: is missing"),
        ("  u-boot: {", "  U Boot: {", r":4: milestones: 'U Boot' is not a name; use lower-case"),
        ("trial: {}", "trial: {after: spl}", r":6: milestones.trial.after: goes with 'within'"),
        ("trial: {}", "trial:", r":6: milestones.trial: must be a mapping of fields"),
        ("after: u-boot", "after: web", r":8: milestones.web.after: 'web' must come before it at"),
        ("after: u-boot", "after: trial", r".* at each start: power, spl, u-boot, login$"),
        ("CCCC", "'Boot SPL'", r":10: deaths: 'Boot SPL' is found in the milestone 'spl'; make it"),
        (", remedy: write the card", "", r":10: deaths\[0\].remedy: is missing"),
        ("seen: no light", "look: dark", r":12: symptoms\[0\].look: unknown field; known: means"),
        ("off: 5", "off: 601", r":15: power.off: 601 must be from 1 to 600 seconds"),
        ("start: [put the card in,", "start: [{},", r":16: start: must be a text"),
    ],
)
def test_an_error_has_file_line_field_and_remedy(
    old: str, new: str, error: str, tmp_path: Path
) -> None:
    assert MINE.count(old) >= 1

    with pytest.raises(BoardError, match=rf"^{tmp_path}/hil.yaml{error}"):
        loaded(tmp_path, MINE.replace(old, new, 1))


def test_a_board_without_a_milestone_of_each_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="milestones: must have at least one that comes at each"):
        loaded(tmp_path, "schema: 1\nmilestones:\n  trial: {}\n")


def test_an_error_in_the_file_of_all_boards_names_that(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"/shared.yaml:6: milestones.login.within: unknown field"):
        loaded(tmp_path, shared=SHARED.replace("by: system", "by: system, within: 5"))


@pytest.mark.parametrize("text", ["", "[", "- 1", "schema: \xff", "a: &a [*a]"])
def test_what_is_not_a_mapping_in_yaml_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "hil.yaml").write_bytes(text.encode("latin-1"))

    with pytest.raises(BoardError, match=r"/hil\.yaml"):
        load_hil(tmp_path, "u-boot", BOARDS / "hil.yaml")
