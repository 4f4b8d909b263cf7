# SPDX-License-Identifier: Apache-2.0
"""A full disk is one sentence that names it, whichever step of a build finds no room."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.unit.image.tiny import make_tiny

pytestmark = [
    pytest.mark.boot,
    requires_program("debugfs", package="e2fsprogs"),
    requires_program("depmod", package="kmod"),
    requires_program("ar", package="binutils"),
]

UNSHARE = ("unshare", "-rm", "sh", "-c")
BUILD = (sys.executable, "-c", "from ota_image.cli.main import entry; entry()", "build")
SCRIPT = 'mount -t tmpfs -o size="$1" none "$2" || exit 77; shift 2; exec "$@"'


def failed_build(
    script: str, places: tuple[str, ...], words: tuple[str, ...], settings: Mapping[str, str]
) -> str:
    """Build where a script has mounted something, and fail; gives what it says."""
    done = subprocess.run(  # noqa: S603
        [*UNSHARE, script, "sh", *places, *BUILD, *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (1, 77) and "ota-image" not in done.stderr:
        pytest.skip("no user namespaces with a mount here")
    assert done.returncode == 3
    return done.stderr


@pytest.mark.parametrize(
    ("full", "size"),
    [
        *(("cache", "24k"), ("cache", "100k"), ("temporary", "64k")),
        *(("output", "40k"), ("output", "300k"), ("output", "500k")),
    ],
)
def test_it_is_named(tmp_path: Path, full: str, size: str) -> None:
    tiny = make_tiny(tmp_path)
    tiny.fill(tmp_path / "cache")
    place = tmp_path / "full" if full == "cache" else tmp_path / full
    for folder in (place, tmp_path / "temporary", tmp_path / "output"):
        folder.mkdir(exist_ok=True)
    packages = f'mkdir "$2/ota-kit"; ln -s "{tiny.packages}" "$2/ota-kit/packages"; '
    script = SCRIPT.replace("shift", f"{packages}shift") if full == "cache" else SCRIPT
    words = ("qemu-x86-64", *tiny.options(), "--locked", "--output", f"{tmp_path}/output/made")
    settings = {
        "XDG_CACHE_HOME": str(place if full == "cache" else tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "temporary"),
    }

    said = failed_build(script, (size, str(place)), words, settings)

    last = said.splitlines()[-1]
    assert last.startswith(f"ota-image: {place}")
    assert "No space left on device; make room there" in last


def test_a_read_only_cache_is_an_error_with_the_variable(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path)
    (tmp_path / "cache").mkdir()
    cache = str(tmp_path / "cache")
    script = 'mount -t tmpfs -o ro none "$1" || exit 77; shift; exec "$@"'
    words = ("qemu-x86-64", *tiny.options(), "--locked", "--output", str(tmp_path / "made"))

    said = failed_build(script, (cache,), words, {"XDG_CACHE_HOME": cache})

    assert "; the cache is another user's or read-only: set $XDG_CACHE_HOME" in said
