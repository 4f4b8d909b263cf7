# SPDX-License-Identifier: Apache-2.0
"""The command that reads a saved console log, as the owner of a board calls it."""

import io
import json
import sys
from pathlib import Path

import pytest

from ota_hil.cli.main import main
from tests.house.tree import ROOT

GOOD = """\
U-Boot SPL 2025.01 (Jan 01 1970 - 00:00:00 +0000)
Trying to boot from MMC1
U-Boot 2025.01 (Jan 01 1970 - 00:00:00 +0000)
Model: TI AM335x BeagleBone Black
WDT:   Started wdt@44e35000 with servicing every 1000ms (60s timeout)
Loading Environment from MMC... OK
OTA: first boot, saving the environment
OTA: booting partition 2
Starting kernel ...
ota: slot A, release 1, userspace up
beaglebone-black login: ota: network: eth0 has 192.0.2.7
ota-agent: started: version 0.1.0, slot A
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "boot.log"


def milestones(*words: object) -> int:
    return main(["milestones", "--boards", str(ROOT / "boards"), *map(str, words)])


def test_a_good_start_ends_with_0(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text(GOOD)

    assert milestones("beaglebone-black", log) == 0

    said = capsys.readouterr().out
    assert said.startswith("start 1, from line 1: 12 of 12 milestones, good\n  spl ")
    assert "  userspace      line 10     ota: slot A, release 1, userspace up\n" in said


def test_a_bad_start_ends_with_2_and_says_what_to_do(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.partition("ota: slot")[0].replace("MMC1", "MMC2")
    log.write_bytes(text.encode().replace(b"\n", b"\r\n"))

    assert milestones("beaglebone-black", log) == 2

    said = capsys.readouterr().out
    assert "start 1, from line 1: 7 of 12 milestones, 6 findings\n" in said
    assert "  card           missing     within 2 s of spl (an estimate)\n" in said
    assert "  line 2: Trying to boot from MMC2\n      The ROM has started the bootloader of" in said
    assert said.count(" did not come\n") == 1, "only the first one explains itself"


def test_it_reads_the_standard_input_and_prints_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"{GOOD}Kernel panic - not syncing: VFS\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    assert milestones("--json", "beaglebone-black") == 2

    said = json.loads(capsys.readouterr().out)
    (start,) = said["starts"]
    assert (said["board"], said["is_good"]) == ("beaglebone-black", False)
    assert start["milestones"]["kernel"] == {
        "number": 9,
        "time": None,
        "text": "Starting kernel ...",
    }
    assert start["findings"][0]["heard"]["number"] == 13


def test_the_log_cannot_command_the_terminal(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(
        b"\x9b31mKernel panic - not syncing: \x1b]0;owned\x07\xe2\x80\xae" + b"x" * 9999
    )

    assert milestones("qemu-arm", log) == 2

    said = capsys.readouterr().out
    assert said.isascii()
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) < 160


def test_a_board_of_the_users_own_is_found(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    text = (ROOT / "boards" / "qemu-arm" / "board.yaml").read_text()
    (mine / "board.yaml").write_text(text.replace("name: qemu-arm", "name: mine"))
    log.write_text("port 80 is open\n")
    words = ["milestones", "--boards", str(tmp_path), "mine", str(log)]

    assert main(words) == 2
    assert f"{mine}: has no hil.yaml, which says" in capsys.readouterr().err

    web = "{pattern: port 80 is open, by: system, within: 5}"
    (mine / "hil.yaml").write_text(f"schema: 1\nmilestones: {{web: {web}}}\n")
    assert main(words) == 0


def test_a_log_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert milestones("qemu-arm", tmp_path / "no.log") == 2

    assert "no.log" in capsys.readouterr().err


def test_a_board_that_resets_for_ever_is_not_read_to_the_end(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.write_text("U-Boot 2025.01\n" * 2000)

    assert milestones("qemu-arm", log) == 2

    assert "only the first 1000 starts were read" in capsys.readouterr().err
