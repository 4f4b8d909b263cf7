# SPDX-License-Identifier: Apache-2.0
"""Which image of a board is the newest, and two builds at a time.

Whole builds are among the tests that boot.
"""

import os
from pathlib import Path
from typing import NoReturn

import pytest

from ota_board.load import load_board
from ota_image.build import build, newest_image
from ota_image.errors import ImageError
from ota_image.packages.recipe import load_recipe
from ota_image.rootfs.settings import Settings
from tests.house.tree import ROOT
from tests.simulators.holding import another_holds

BOARD = load_board(ROOT / "boards" / "qemu-arm64")


def made(folder: Path, name: str, time: int) -> Path:
    path = folder / name
    path.touch()
    os.utime(path, (time, time))
    return path


def test_the_newest_image_is_the_one_made_last_whatever_its_release(tmp_path: Path) -> None:
    made(tmp_path, "minimal-qemu-arm64-9.sdimg", 100)
    newest = made(tmp_path, "debian-qemu-arm64-1.sdimg", 200)
    made(tmp_path, "minimal-qemu-arm64-9.sdimg.bmap", 300)
    made(tmp_path, "minimal-qemu-arm-9.sdimg", 400)

    assert newest_image(BOARD, tmp_path) == newest


@pytest.mark.parametrize("name", ["missing", "."])
def test_without_an_image_the_error_says_how_to_make_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match="make one: ota-image build qemu-arm64"):
        newest_image(BOARD, tmp_path / name)


def test_a_second_build_into_a_folder_waits_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> NoReturn:
        raise ImageError("far enough")

    monkeypatch.setattr("ota_image.build.make_slot", stop)
    monkeypatch.setattr("ota_image.build.u_boot_of", lambda *_: None)
    recipe = load_recipe(ROOT / "images" / "minimal.yaml")
    said: list[str] = []
    with another_holds(tmp_path) as process:

        def hear(text: str) -> None:
            said.append(text)
            assert process.stdin
            process.stdin.close()

        with pytest.raises(ImageError, match="far enough"):
            build(BOARD, ROOT / "boards" / "qemu-arm64", recipe, Settings(), tmp_path, say=hear)

    assert [each for each in said if each.startswith(f"{tmp_path}: waiting for ")]
