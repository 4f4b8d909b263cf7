# SPDX-License-Identifier: Apache-2.0
"""Firmware from packages: licences that must be accepted, and the files that are extracted."""

from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.load import load_board
from ota_image.cli.main import main
from ota_image.errors import ImageError
from ota_image.firmware.packages import VARIABLE, Firmware, accepted_licences, fetch_firmware
from ota_image.packages.recipe import load_recipe
from tests.house.tree import ROOT

PI = load_board(ROOT / "boards" / "raspberrypi3")
RECIPE = load_recipe(ROOT / "images" / "minimal.yaml")
QEMU = load_board(ROOT / "boards" / "qemu-arm64")


def test_a_licence_that_was_not_accepted_stops_the_build_before_any_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    output = tmp_path / "output"

    code = main(["build", "raspberrypi3", "--output", str(output)])

    said = capsys.readouterr().err
    assert code == 2
    assert "needs the package raspi-firmware, whose licence is Broadcom's" in said
    assert "--accept-licence raspi-firmware or OTA_ACCEPT_LICENCE=raspi-firmware" in said
    assert not output.exists()


def test_a_licence_is_accepted_by_option_or_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "raspi-firmware other")

    assert accepted_licences(["third"]) == {"raspi-firmware", "other", "third"}


def test_a_board_without_such_packages_needs_none() -> None:
    assert fetch_firmware(QEMU, RECIPE) == Firmware({}, ())


@pytest.mark.boot
@pytest.mark.timeout(300)  # [s] reads the archive's index
def test_the_files_are_the_packages_own() -> None:
    accepted = accepted_licences([])
    if "raspi-firmware" not in accepted:
        pytest.skip(f"the licence is yours to accept: set {VARIABLE}=raspi-firmware")

    firmware = fetch_firmware(PI, RECIPE, accepted=accepted)

    found = firmware.files
    assert [each.name for each in firmware.packages] == ["raspi-firmware"]

    assert sorted(found) == [
        f"raspi-firmware/{name}" for name in ("bootcode.bin", "fixup.dat", "start.elf")
    ]
    assert found["raspi-firmware/start.elf"].read_bytes()[:4] == b"\x7fELF"
    lacking = replace(PI, firmware=(replace(PI.firmware[0], source="raspi-firmware/none.bin"),))
    with pytest.raises(ImageError, match="has no file none"):
        fetch_firmware(lacking, RECIPE, accepted=accepted)
