# SPDX-License-Identifier: Apache-2.0
"""Each test is in the right tier, and a missing program is named."""

import shutil
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_program
from tests.house.tree import ROOT

SLEEPERS = """
import time, pytest

def test_unmarked():
    time.sleep(1.1)

@pytest.mark.boot
def test_marked():
    time.sleep(1.1)

def test_prompt():
    pass
"""


def test_a_missing_program_is_named_with_its_package() -> None:
    missing = requires_program("no-such-program", package="no-such-package").mark
    there = requires_program("sh", package="dash").mark

    assert missing.args == (True,)
    assert "no no-such-program here: apt-get install no-such-package" in missing.kwargs["reason"]
    assert there.args == (False,)


@pytest.mark.boot
def test_a_slow_test_without_a_marker_is_listed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_sleepers.py").write_text(SLEEPERS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    boot: slow\n")

    said = run((sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, tmp_path), timeout=50)

    text = said.decode()
    assert "longer than 1 s without a marker" in text
    assert "s  test_sleepers.py::test_unmarked" in text
    assert "::test_marked" not in text
    assert "::test_prompt" not in text
