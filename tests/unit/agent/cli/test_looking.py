# SPDX-License-Identifier: Apache-2.0
"""A command that only looks changes nothing on the device, whatever it finds."""

import json
from pathlib import Path

import pytest

from ota_agent.cli.main import main
from tests.unit.agent.memory.test_peek import DAMAGES, cut_off_while_writing, remembered, seen
from tests.unit.agent.scratch import Scratch, scratch

LOOKS = (
    ("status",),
    ("status", "--json"),
    ("show-artifact",),
    ("show-provides", "--json"),
    ("doctor",),
    ("doctor", "--json"),
)
look = pytest.mark.parametrize("words", LOOKS, ids=" ".join)


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    return scratch(tmp_path / "device", slot=1 << 16, scripts={"folders": []})


def looked(device: Scratch, words: tuple[str, ...]) -> int:
    """The exit code of a command, once it is sure that it has changed nothing."""
    before = seen(device.folder)
    code = main([*words, "--config", str(device.configuration)])
    assert seen(device.folder) == before
    return code


@look
def test_a_device_that_was_never_started_gets_no_memory(
    words: tuple[str, ...], device: Scratch
) -> None:
    looked(device, words)

    assert not (device.folder / "data" / "state.db").exists()


@look
def test_a_device_without_its_data_gets_no_folder(words: tuple[str, ...], device: Scratch) -> None:
    (device.folder / "data" / "device_type").unlink()
    (device.folder / "data").rmdir()

    looked(device, words)


@look
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_memory_is_a_finding_and_stays_as_it_is(
    words: tuple[str, ...], damage: str, device: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = remembered(device.folder / "data" / "state.db")
    DAMAGES[damage][0](path)

    assert looked(device, words) == 1

    said = capsys.readouterr()
    assert str(path) in said.out + said.err
    assert DAMAGES[damage][1] in said.out + said.err


@look
def test_a_write_that_was_cut_off_is_not_damage(words: tuple[str, ...], device: Scratch) -> None:
    cut_off_while_writing(remembered(device.folder / "data" / "state.db"))

    looked(device, words)


def test_what_the_device_provides_is_known_before_the_agent_has_ever_run(
    device: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("write", "bootstrap-artifact", "-n", "v1", "-t", "scratch", "-p", "app:3")
    from ota_artifact.cli.main import main as artifact

    assert artifact([*words, "-o", str(device.folder / "data" / "bootstrap.mender")]) == 0
    capsys.readouterr()

    assert looked(device, ("show-provides", "--json")) == 0

    assert json.loads(capsys.readouterr().out) == {"artifact_name": "v1", "app": "3"}


def test_what_the_device_provides_has_one_line_for_each_key(
    device: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ota_artifact.cli.main import main as artifact

    words = ("write", "bootstrap-artifact", "-n", "v1", "-t", "scratch", "-p", "app:3\nforged=4")
    assert artifact([*words, "-o", str(device.folder / "data" / "bootstrap.mender")]) == 0
    capsys.readouterr()

    assert looked(device, ("show-provides",)) == 0

    assert capsys.readouterr().out == "app=3\\nforged=4\nartifact_name=v1\n"
