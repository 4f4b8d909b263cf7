# SPDX-License-Identifier: Apache-2.0
"""What the demo says before it does anything."""

from pathlib import Path

import pytest

from ota_hil.cli.main import main
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
