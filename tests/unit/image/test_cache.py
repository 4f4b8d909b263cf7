# SPDX-License-Identifier: Apache-2.0
"""What is made once and kept."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ota_image.cache import cache_folder, make_once

_MAKE = (
    "import sys; from ota_image.cache import make_once\n"
    "with make_once(sys.argv[1]) as (folder, workplace):\n"
    "    (workplace / 'half').write_text(''); print(workplace, flush=True); sys.stdin.read()\n"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ota-kit"


def test_what_is_made_is_made_once(cache: Path) -> None:
    for _ in range(2):
        with make_once("kind/name") as (folder, workplace):
            if workplace:
                (workplace / "whole").touch()

    assert workplace is None
    assert folder == cache / "kind" / "name"
    assert [each.name for each in folder.iterdir()] == ["whole"]
    assert list(folder.parent.iterdir()) == [folder]


def fail_to_make(name: str) -> None:
    with make_once(name) as (_, workplace):
        assert workplace
        (workplace / "half").touch()
        raise ValueError("failed")


def test_what_fails_leaves_nothing(cache: Path) -> None:
    with pytest.raises(ValueError, match="failed"):
        fail_to_make("kind/name")

    assert list((cache / "kind").iterdir()) == []


def test_what_a_killed_process_left_is_taken_away_and_what_is_in_use_stays(cache: Path) -> None:
    words = [(sys.executable, "-c", _MAKE, f"kind/{name}") for name in ("killed", "busy")]
    killed, busy = (
        subprocess.Popen(each, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        for each in words
    )
    left, used = (Path(os.fsdecode(each.stdout.readline()).strip()) for each in (killed, busy))  # type: ignore[union-attr]
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert left.is_dir()

    with make_once("kind/new"):
        pass

    assert sorted((cache / "kind").iterdir()) == sorted([used, cache / "kind" / "new"])
    busy.communicate()
    assert sorted(each.name for each in (cache / "kind").iterdir()) == ["busy", "new"]


def test_a_relative_place_for_caches_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG Base Directory Specification says."""
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")

    assert cache_folder() == Path.home() / ".cache" / "ota-kit"
