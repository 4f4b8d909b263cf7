# SPDX-License-Identifier: Apache-2.0
"""hil.yaml waits for what our own scripts and our agent print; a typo is found."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.hil import Pattern, Printer
from ota_board.load import all_boards, load_board
from tests.house.tree import ROOT
from tests.system.described import agent, hil_of, scripts, typos

BOARDS = all_boards([ROOT / "boards"])

HARMLESS = {  # lines of ours that a good start may have, or that follow from one that is known
    "OTA: falling back to partition x": "follows from what ended the trial",
    "OTA: partition x is committed, so it is good": "another program committed it",
    "OTA: this U-Boot cannot arm the watchdog": "each start with U-Boot of Debian 12",
    "OTA: the second copy of the environment is repaired from the first": "after a power cut",
    "OTA: the first copy of the environment is repaired from the second": "after a power cut",
    "OTA: no valid environment": "what the boot logic then does has a line",
    "ota: /data: x": "one of the other lines of /data",
    "ota: /data: is repaired; nothing was lost": "after a power cut",
    "ota: /data: is mounted without a check: x": "a board without e2fsck",
    "ota: /data: is new; what was on it is lost: x": "follows",
    "ota: /data: erasing it, as a user has asked": "a user has asked",
    "ota: /data: cannot be erased: a write fails; the next boot tries again": "the disk fails",
    "ota: /data: growing it to the end of x": "the first start",
    "ota: x: writing the partition table again from its backup": "after a power cut",
    "ota: /data: its first MiB and its superblocks from before are in x": "follows",
    "ota: /data: is damaged, repairing it": "after a power cut",
    "ota: /data: x is back, from its second home": "follows",
    "ota: x: is too large, or garbled, and is not kept a second time": "a user's file",
    "ota: network: x": "what udhcpc or networkd says of it has a line",
    "ota: ssh: making a host key": "the first start",
    "ota: watchdog: not used, since this is not a real board": "QEMU",
    "ota: trial: ends x s after the boot, unless an agent is at work on it": "each trial",
    "ota: trial: neither U-Boot's environment nor GRUB's is known here, so trials have no deadline"
    "": "a board with another bootloader",
}


def lines_of_ours() -> Iterator[str]:
    """The lines that boot logic, initrd and scripts print, with ``x`` for what changes."""
    logic = [*ROOT.glob("bootloader/*/*.j2"), *ROOT.glob("boards/*/u-boot.env")]
    initrd = ROOT / "tools" / "image" / "src" / "ota_image" / "rootfs" / "init.sh"
    for path in (*logic, initrd):
        yield from re.findall(r'echo "((?:OTA|ota): .*?)"', path.read_text("utf-8"))
    for path in (ROOT / "images" / "overlay").rglob("lib/ota/*"):
        yield from _said(path, "ota: ")
    yield from _said(
        ROOT / "tools" / "agent" / "system" / "lib" / "ota" / "deadline", "ota: trial: "
    )


def _said(script: Path, name: str) -> Iterator[str]:
    text = script.read_text("utf-8")
    for said in re.findall(r'\bsay "(.*)"', text):
        yield f"{name}{said}"
    for said in re.findall(r'\btell [a-z-]+ "(.+)"', text):
        yield f"{name}/data: {said}"


@pytest.mark.parametrize("folder", BOARDS, ids=lambda path: path.name)
def test_the_words_of_our_own_lines_are_in_our_own_programs(folder: Path) -> None:
    programs: dict[Printer, bytes] = {"system": scripts(), "agent": agent()}

    # What prints the login prompt is not ours; the starts in tests/system have it.
    assert [
        each for each in typos(hil_of(load_board(folder)), programs) if "login:" not in each
    ] == []


def test_each_line_of_ours_that_no_good_start_prints_is_known() -> None:
    found = [hil_of(load_board(folder)) for folder in BOARDS]
    patterns = {each.pattern for hil in found for each in hil.milestones}
    patterns |= {each.pattern for hil in found for each in hil.deaths}
    changes = re.compile(r"\{\{.*?\}\}|\$\{.*?\}|\$\(.*?\)|\$\w+|\$\*")

    lines = {changes.sub("x", line) for line in lines_of_ours()}

    assert len(lines) > 30
    unknown = {line for line in lines if not any(each.found_in(line) for each in patterns)}
    assert unknown == set(HARMLESS)


def test_a_typo_is_found() -> None:
    hil = hil_of(load_board(BOARDS[0]))
    death = replace(hil.deaths[0], pattern=Pattern("Kernel panik - *"), by="linux")

    assert typos(replace(hil, deaths=(death,), milestones=()), {"linux": b"Kernel panic - "}) == [
        "'Kernel panik - *': linux does not print 'Kernel panik - '"
    ]
