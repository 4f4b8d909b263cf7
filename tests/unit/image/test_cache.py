# SPDX-License-Identifier: Apache-2.0
"""The cache: whose it is, and who can read it."""

from pathlib import Path

import pytest

from ota_image.cache import key_of, make_once


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
