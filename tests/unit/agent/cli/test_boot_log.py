# SPDX-License-Identifier: Apache-2.0
"""`ota-agent boot-log` prints what the boots that are kept said."""

import json
from pathlib import Path

import pytest

from ota_agent.cli.main import main
from tests.unit.agent.scratch import Scratch, scratch


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    return scratch(tmp_path)


def keep(folder: Path, number: int, record: str) -> None:
    boot = folder / "data" / "boots" / f"{number:06}-id{number}"
    boot.mkdir(parents=True)
    (boot / "about").write_text(f"boot id{number}\nkernel 6.1\n")
    (boot / "kernel").write_text(f"6,1,2500000,-;{record}\n")


def boot_log(device: Scratch, *words: str) -> int:
    return main(["boot-log", "--config", str(device.configuration), *words])


LINES = [
    "boot 8: id8 kernel 6.1",
    "[    2.500000] Booting Linux",
    "boot 9: id9 kernel 6.1",
    "[    2.500000] Kernel panic",
]


def test_every_boot_that_is_kept_is_printed(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(tmp_path, 9, "Kernel panic")
    keep(tmp_path, 8, "Booting Linux")

    assert boot_log(device) == 0
    assert capsys.readouterr().out.splitlines() == LINES

    assert boot_log(device, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"lines": LINES}


def test_where_no_boot_is_kept_it_says_which_would_be(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boot_log(device, "--json") == 0

    said = capsys.readouterr()
    assert json.loads(said.out) == {"lines": []}
    assert said.err == (
        f"ota-agent: {tmp_path}/data/boots: holds no boot; those of trials are kept, and with"
        ' record = "always" in [boot_log] of the configuration every one\n'
    )


def test_a_folder_that_cannot_be_read_is_an_error(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "boots").write_text("no folder")

    assert boot_log(device) == 1

    assert f"ota-agent: {tmp_path}/data/boots: Not a directory\n" == capsys.readouterr().err
