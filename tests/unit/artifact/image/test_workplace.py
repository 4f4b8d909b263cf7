# SPDX-License-Identifier: Apache-2.0
"""The folder through which other programs see an image."""

import tempfile
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.image.workplace import workplace


@pytest.mark.parametrize("name", ["a?b", "a@@b", "a$b", "a|b", "a*b", "a\\b", "a\nb"])
def test_a_tmpdir_that_a_program_would_read_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))

    with (
        pytest.raises(ProgramError, match="set TMPDIR to a short, plain path"),
        workplace(tmp_path / "image"),
    ):
        pass

    assert list((tmp_path / name).iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a b", "a:b", "a%b", "a'b", 'a"b', "a,b", "a;b", "a&b", "#a", "grün"]
)
def test_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / "image").write_bytes(b"image")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))

    with workplace(tmp_path / "image") as place:
        assert (place / "image").read_bytes() == b"image"
