# SPDX-License-Identifier: Apache-2.0
"""`make check` is part of the tests."""

import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.house.tree import ROOT


def findings(*arguments: str) -> str:
    """What a tool of this environment prints about the tree; nothing if all is well."""
    return run((sys.executable, "-m", *arguments), timeout=300, success=(0, 1)).decode()


@pytest.fixture(autouse=True)
def at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_code_is_formatted() -> None:
    assert findings("ruff", "format", "--check", "--quiet", "--diff", ".") == ""


def test_lint_finds_nothing() -> None:
    assert findings("ruff", "check", "--quiet", "--output-format=concise", ".") == ""


@pytest.mark.boot
@pytest.mark.timeout(300)
def test_types_hold() -> None:
    assert findings("mypy", "--no-error-summary") == ""


def test_what_lint_finds_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import os\nx=1\n")

    assert "F401" in findings("ruff", "check", "--quiet", str(wrong))
    assert "+x = 1" in findings("ruff", "format", "--check", "--quiet", "--diff", str(wrong))


@pytest.mark.boot
@pytest.mark.timeout(300)
def test_what_mypy_finds_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f(x):\n    return x\n")

    assert "no-untyped-def" in findings("mypy", "--no-error-summary", str(wrong))
