# SPDX-License-Identifier: Apache-2.0
"""Firmware from packages: licences that must be accepted, and the files that are extracted."""

from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.load import load_board
from ota_image.cli.main import main
from ota_image.errors import ImageError
from ota_image.firmware.packages import VARIABLE, Firmware, accepted_licences, fetch_firmware
from ota_image.packages.lock import Lock, lock_file, lock_text
from ota_image.packages.recipe import Recipe, load_recipe
from ota_image.packages.sources import Source
from tests.house.tree import ROOT
from tests.unit.image.tiny import make_deb

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


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe whose lock has a firmware package of two files, which is in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packages = tmp_path / "cache" / "ota-kit" / "packages"
    packages.mkdir(parents=True)
    there = {"/usr/lib/raspi-firmware/start4.elf": b"\x7fELF", "/usr/share/doc/copyright": b"c"}
    package = make_deb(packages, "raspi-firmware", there)
    recipe = replace(RECIPE, path=tmp_path / "minimal.yaml")
    lock = Lock(recipe.choice, {"raspi-firmware": (package,)})
    lock_file(recipe, PI.arch).write_text(lock_text(lock), "utf-8")
    return recipe


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "start.elf",
            r"raspberrypi3: raspi-firmware 1 has no file start\.elf, but start4\.elf; corr",
        ),
        ("boot/start4.elf", r"has no file boot/start4\.elf, but start4\.elf; correct"),
        ("none.bin", r"has no file none\.bin; correct firmware\.from"),
    ],
)
def test_a_file_that_the_package_lacks_or_calls_otherwise_is_named(
    locked: Recipe, asked: str, said: str
) -> None:
    board = replace(PI, firmware=(replace(PI.firmware[0], source=f"raspi-firmware/{asked}"),))

    with pytest.raises(ImageError, match=said):
        fetch_firmware(board, locked, source=Source(is_locked=True), accepted=["raspi-firmware"])


def test_with_locked_a_lock_without_the_firmware_is_refused(locked: Recipe) -> None:
    lock_file(locked, PI.arch).write_text(lock_text(Lock(locked.choice, {})), "utf-8")

    with pytest.raises(ImageError, match=r"has no section \[raspi-firmware\]; run --update-lock"):
        fetch_firmware(PI, locked, source=Source(is_locked=True), accepted=["raspi-firmware"])


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
