# SPDX-License-Identifier: Apache-2.0
"""The Python that compiles the modules of an image: of its version, whatever this machine has."""

import os
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, Package
from ota_image.packages.lock import IMAGE, lock_file, read_lock
from ota_image.packages.recipe import Recipe, load_recipe
from ota_image.packages.sources import ANY_SOURCE, Source
from ota_image.rootfs.python import compile_all, own_python, python_for
from tests.conftest import requires_program
from tests.house.tree import ROOT

SOURCES = (
    ("/usr/lib/python3/a.py", b"SIGNS = {'-', '?', 'value'}\ndef f(x): return x in {'b', 'a'}\n"),
    ("/usr/lib/python3/b.py", b"print 'hello'\n"),
)
OURS = own_python().minor


def recipe(suite: str) -> Recipe:
    return load_recipe(ROOT / "images" / "minimal.yaml", suite)


def minimal(suite: str) -> Package:
    """The interpreter of an arm64 image of ours."""
    lock = read_lock(lock_file(recipe(suite), "arm64"))
    assert lock
    [found] = (
        each
        for each in lock.groups[IMAGE]
        if each.name.startswith("python3.") and each.name.endswith("-minimal")
    )
    return found


def test_a_source_of_another_python_gets_no_byte_code() -> None:
    made = compile_all(own_python(), SOURCES)

    assert made.codes[0]
    assert made.codes[1] is None


@pytest.mark.boot
@pytest.mark.timeout(300)  # [s] reads the archive's index
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
@requires_program("/usr/lib/apt/apt-helper", package="apt")
def test_each_suites_own_python_compiles_and_gives_the_same_bytes_again(
    suite: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = python_for([minimal(suite)], recipe(suite), ANY_SOURCE, print)
    first = compile_all(python, SOURCES)
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "marshal.py").write_text("raise SystemExit('the wrong module')\n")

    again = compile_all(python, SOURCES)

    assert python.identity == f"{minimal(suite).name} {minimal(suite).version}"
    assert first == again
    assert first.tag == f"cpython-3{python.minor}"
    magic = "from _frozen_importlib_external import MAGIC_NUMBER as m; print(m.hex())"
    assert run((*python.argv, "-S", "-c", magic), timeout=60).decode().strip() == first.magic.hex()


def gone(*_: object, **__: object) -> None:
    raise ImageError("Version '3' for 'python3.9-minimal' was not found for amd64 in the archive")


def package(minor: int) -> Package:
    return Package(name=f"python3.{minor}-minimal", version="0-1", arch="arm64", sha256="00" * 32)


@pytest.mark.parametrize("minor", [OURS, 9])
def test_without_its_package_a_python_of_this_machine_serves_with_a_warning(
    minor: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(AptRoot, "resolve", gone)
    (tmp_path / "python3.9").write_text("#!/bin/sh\necho 9\n")
    (tmp_path / "python3.9").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said: list[str] = []

    python = python_for([package(minor)], recipe("bookworm"), ANY_SOURCE, said.append)

    assert python.minor == minor
    assert "was not found for amd64 in the archive; byte code may differ" in said[-1]


def test_a_name_on_path_that_starts_no_such_python_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(AptRoot, "resolve", gone)
    (tmp_path / "python3.9").write_text("#!/bin/sh\necho 'not installed' >&2\nexit 127\n")
    (tmp_path / "python3.9").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    python = python_for([package(9)], recipe("bookworm"), ANY_SOURCE, print)

    assert python == own_python()


def test_a_build_by_its_lock_alone_takes_no_other_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(AptRoot, "resolve", gone)

    with pytest.raises((ImageError, ProgramError), match="was not found"):
        python_for([package(9)], recipe("bookworm"), Source(is_locked=True), print)
