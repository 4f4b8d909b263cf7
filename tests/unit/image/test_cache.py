# SPDX-License-Identifier: Apache-2.0
"""The cache: whose it is, and who can read it."""

from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.cache import cache_folder, key_of, make_once


def test_another_user_of_the_same_cache_can_read_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with make_once("kernel/1") as (folder, workplace):
        assert workplace
        (workplace / "vmlinuz").touch()

    assert folder.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in folder.iterdir()] == ["vmlinuz"]


def test_a_name_that_is_not_utf_8_has_a_key_too() -> None:
    assert key_of("gr\udcfcn") != key_of("grün")


def test_a_full_disk_is_one_error_however_many_files_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = "seq -f 'tar: %.0f: Cannot write: No space left on device' 22000 >&2; exit 2"

    with (
        pytest.raises(OSError, match="No space left on device") as raised,
        make_once("source/u-boot"),
    ):
        run(("sh", "-c", script), timeout=30)

    assert raised.value.filename == str(tmp_path / "ota-kit" / "source")
    assert str(raised.value).count("\n") == 0
    assert list((tmp_path / "ota-kit" / "source").iterdir()) == []


@pytest.mark.parametrize("value", ["", "cache", "./cache"])
def test_a_cache_that_is_not_an_absolute_path_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert cache_folder() == tmp_path / ".cache" / "ota-kit"
