# SPDX-License-Identifier: Apache-2.0
"""What is made once and kept."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.cache import (
    cache_folder,
    empty_cache,
    explained,
    kept,
    key_of,
    make_once,
    require_whole,
)
from ota_image.cli.main import main
from ota_image.errors import WorldError
from tests.conftest import requires_open_tree

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
    assert sorted(each.name for each in folder.iterdir()) == [".made", "whole"]
    assert list(folder.parent.iterdir()) == [folder]


def make_two_files(name: str) -> bool:
    """Make an entry of the cache, unless it is there; gives whether it was made."""
    with make_once(name) as (_, workplace):
        if workplace:
            (workplace / "in").mkdir()
            (workplace / "in" / "file").write_bytes(b"content")
            (workplace / "link").symlink_to("in/file")
        return workplace is not None


DAMAGES = {
    "emptied by a power cut": ": >in/file",
    "cut": "printf con >in/file",
    "another byte": "printf cOntent >in/file",
    "an old file removed": "rm in/file",
    "a folder for a link": "rm link; mkdir link",
    "one file more": ": >in/other",
    "without a digest": "rm .made",
    "an empty digest": ": >.made",
    "a file": "cd ..; rm -r name; : >name",
    "a link to nowhere": "cd ..; rm -r name; ln -s gone name",
    "an empty folder": "cd ..; rm -r name; mkdir name",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_was_damaged_is_made_again(cache: Path, damage: str) -> None:
    make_two_files("kind/name")
    run(("sh", "-ec", f'cd "$0"; {damage}', cache / "kind" / "name"), timeout=10)

    is_made = make_two_files("kind/name")

    assert is_made
    assert (cache / "kind" / "name" / "in" / "file").read_bytes() == b"content"
    assert not make_two_files("kind/name")
    assert [each.name for each in (cache / "kind").iterdir()] == ["name"]


def test_a_damaged_entry_that_was_found_by_its_name_is_removed(cache: Path) -> None:
    make_two_files("source/u-boot")
    require_whole(cache / "source" / "u-boot")
    (cache / "source" / "u-boot" / "in" / "file").write_bytes(b"")

    with pytest.raises(WorldError, match=r"u-boot: was damaged .* build again"):
        require_whole(cache / "source" / "u-boot")

    assert list((cache / "source").iterdir()) == []


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


def test_what_is_kept_is_counted_by_its_kind(cache: Path) -> None:
    for name in ("packages/a", "packages/b", "slots/c"):
        with make_once(name) as (_, workplace):
            assert workplace
            (workplace / "data").write_bytes(b"x" * 100_000)
            (workplace / "again").hardlink_to(workplace / "data")
    (cache / "packages" / ".work.left").mkdir()

    found = kept()

    assert [(each.kind, each.entries) for each in found] == [("packages", 2), ("slots", 1)]
    assert 200_000 <= found[0].size < 300_000
    assert 100_000 <= found[1].size < 150_000


def test_a_cache_that_is_not_there_is_empty() -> None:
    empty_cache()

    assert kept() == ()


def test_a_cache_that_a_process_uses_is_not_emptied(cache: Path) -> None:
    words = (sys.executable, "-c", _MAKE, "kind/busy")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as busy:  # noqa: S603
        assert busy.stdout
        used = Path(os.fsdecode(busy.stdout.readline()).strip())

        with pytest.raises(BlockingIOError, match="is using it; wait until it has ended"):
            empty_cache()

        assert (used / "half").exists()
        busy.communicate()
    empty_cache()
    assert list(cache.iterdir()) == []


def test_a_cache_that_is_a_link_to_another_disk_stays_one(cache: Path) -> None:
    disk = cache.parent / "disk"
    (disk / "packages").mkdir(parents=True)
    cache.symlink_to(disk)

    empty_cache()

    assert cache.is_symlink()
    assert list(disk.iterdir()) == []


def test_the_command_shows_it_and_empties_it(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache / "slots" / "minimal").mkdir(parents=True)
    (cache / "bench").mkdir()

    assert main(["cache"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert main(["cache", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["cache", "--empty"]) == 0
    emptied = capsys.readouterr().out.splitlines()

    assert [line.split()[:2] for line in shown[:2]] == [["bench", "0"], ["slots", "1"]]
    assert shown[1].endswith("  root filesystems")
    assert shown[2].startswith(f"{cache}: has ")
    assert [each["kind"] for each in said["kinds"]] == ["bench", "slots"]
    assert said["folder"] == str(cache)
    assert emptied[2].startswith(f"{cache}: emptied of ")
    assert list(cache.iterdir()) == []


_APT = "from ota_image.packages.apt import AptRoot; AptRoot('arm64', [])"


@requires_open_tree
@pytest.mark.parametrize("program", ["_MAKE", "_APT"])
def test_a_home_that_may_not_be_written_is_named_with_the_variable(
    cache: Path, program: str
) -> None:
    cache.parent.chmod(0o555)
    as_nobody = ("setpriv", "--reuid", "65534", "--clear-groups") if os.geteuid() == 0 else ()
    home = {**os.environ, "XDG_CACHE_HOME": "/root" if as_nobody else str(cache.parent)}

    said = subprocess.run(  # noqa: S603
        (*as_nobody, sys.executable, "-c", globals()[program], "kind/name"),
        env=home,
        capture_output=True,
        check=False,
    ).stderr.decode()

    assert "unless $XDG_CACHE_HOME is set" in said


def test_another_user_of_the_same_cache_can_read_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with make_once("kernel/1") as (folder, workplace):
        assert workplace
        (workplace / "vmlinuz").touch()

    assert folder.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in folder.iterdir()) == [".made", "vmlinuz"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_cache_of_another_user_is_an_error_with_the_variable(cache: Path, code: int) -> None:
    inside, outside = (
        explained(OSError(code, os.strerror(code), str(path)))
        for path in (cache / "slots" / ".work.1", cache.parent / "other")
    )

    assert str(inside.strerror).endswith("another user's or read-only: set $XDG_CACHE_HOME")
    assert inside.filename == str(cache / "slots" / ".work.1")
    assert outside.strerror == os.strerror(code)
    assert explained(inside) is inside


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
