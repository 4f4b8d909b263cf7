# SPDX-License-Identifier: Apache-2.0
"""The image in the cache: when it is made, and that a failed build leaves nothing."""

from pathlib import Path

import pytest

from bench.artifact import image
from ota_artifact.errors import ProgramError


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def _silent(text: str) -> None:
    pass


def test_an_image_of_the_same_recipe_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(work: Path, suite: str) -> None:
        made.append(suite)
        (work / "image").write_bytes(b"image")

    monkeypatch.setattr(image, "_make", make)
    first = image.rootfs(_silent, suite="bookworm")

    second = image.rootfs(_silent, suite="bookworm")

    assert first == second
    assert first.read_bytes() == b"image"
    assert made == ["bookworm"]


def test_another_suite_is_another_image() -> None:
    assert image.key("bookworm") != image.key("trixie")


def test_an_interrupted_build_leaves_nothing_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(work: Path, suite: str) -> None:
        (work / "image").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(image, "_make", make)

    with pytest.raises(KeyboardInterrupt):
        image.rootfs(_silent, suite="bookworm")

    assert list((tmp_path / "ota-kit").iterdir()) == []


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(ProgramError, match="no-such-program: not found; apt-get install nothing"):
        image.program("no-such-program", package="nothing")
