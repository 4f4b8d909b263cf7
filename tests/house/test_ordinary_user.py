# SPDX-License-Identifier: Apache-2.0
"""CI runs as root; here a part of the tests runs as an ordinary user of Debian."""

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run, stream
from tests.conftest import requires_program
from tests.house.tree import ROOT

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] hundreds of tests on a slow machine
    pytest.mark.skipif(os.geteuid() != 0, reason="all tests run as an ordinary user already"),
    requires_program("unshare", package="util-linux"),
    requires_program("setpriv", package="util-linux"),
]

NOBODY = 65534
TESTS = ("tests/unit/board", "tests/unit/hil", "tests/unit/image")
LEFT_OUT = ("tests/unit/image/doctor",)  # half of the time, and it only reads


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for nobody, in a place that is open to all."""
    with tempfile.TemporaryDirectory(prefix="ota-home-", dir="/var/tmp") as name:
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)


def opened(needed: list[Path], stage: Path) -> str:
    """Commands that let all users reach folders in closed ones, such as root's home.

    In a namespace of its own, an empty folder takes the place of the closed one; only the folders
    that are needed are in it.
    """
    closed: dict[Path, list[Path]] = {}
    for path in needed:
        for parent in reversed(path.parents):
            if not parent.stat().st_mode & 0o001:
                closed.setdefault(parent, []).append(path)
                break
    lines = []
    for number, (parent, paths) in enumerate(closed.items()):
        copies = [stage / f"{number}.{index}" for index, _ in enumerate(paths)]
        for path, copy in zip(paths, copies, strict=True):
            copy.mkdir()
            lines.append(shlex.join(("mount", "--bind", str(path), str(copy))))
        lines.append(shlex.join(("mount", "-t", "tmpfs", "-o", "mode=755", "none", str(parent))))
        for path, copy in zip(paths, copies, strict=True):
            lines.append(shlex.join(("mkdir", "-p", str(path))))
            lines.append(shlex.join(("mount", "--bind", str(copy), str(path))))
    return "".join(f"{line}\n" for line in lines)


def as_nobody(home: Path, stage: Path, *words: str) -> tuple[int, str]:
    """Run our Python as nobody, with the $PATH of an ordinary user; its exit code and stdout."""
    script = opened([Path(sys.base_prefix), Path(sys.prefix), ROOT], stage)
    settings = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    user = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
    environment = (f"{name}={value}" for name, value in settings.items())
    python = ("setpriv", *user, "env", "-i", "-C", str(ROOT), *environment, sys.executable)
    script += f"exec {shlex.join((*python, *words))}\n"
    said = bytearray()
    argv = ("unshare", "--mount", "--", "sh", "-ec", script)
    code = stream(argv, silence=800, sink=said.extend).code
    return code, said.decode("utf-8", "replace")


def test_an_ordinary_user_passes_the_tests(home: Path, tmp_path: Path) -> None:
    try:
        run(("unshare", "--mount", "true"), timeout=30)
    except ProgramError:
        pytest.skip("no namespaces of mounts here")
    options = ["-m", "not boot and not full", "-p", "no:cacheprovider", "-q"]
    options += [f"--ignore={each}" for each in LEFT_OUT]

    code, said = as_nobody(home, tmp_path, "-m", "pytest", *options, *TESTS)

    assert code == 0, said[-8000:]
    passed = re.search(r"(\d+) passed", said)
    assert passed, said[-2000:]
    assert int(passed[1]) > 300
