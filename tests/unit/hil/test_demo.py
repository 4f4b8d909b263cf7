# SPDX-License-Identifier: Apache-2.0
"""What the demo says before it does anything."""

import io
import sys
from pathlib import Path

import pytest

from ota_hil.cli.main import main
from ota_hil.demo.play import Play
from tests.simulators.holding import another_holds


def test_a_second_demo_in_a_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with another_holds(tmp_path):
        code = main(["demo", "--output", str(tmp_path)])

    assert code == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"ota-hil: {tmp_path}: ")
    assert "is using it; wait until it has ended, or take another folder with --output" in err
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_that_lacks_a_character_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding="latin-1"))

    Play().quote("é … end")

    assert terminal.getvalue().endswith(b"\xe9 ? end\n")
