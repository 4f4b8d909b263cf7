# SPDX-License-Identifier: Apache-2.0
"""The pages on update modules and state scripts work as they are written."""

from pathlib import Path

import pytest

from tests.house.pages import commands, follow
from tests.house.tree import ROOT

pytestmark = pytest.mark.boot  # starts the agent, several times


def followed(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the commands of a page print, stderr too."""
    monkeypatch.chdir(folder)
    script = commands((ROOT / "docs" / "howto" / page).read_text("utf-8"))
    return follow(f"exec 2>&1\n{script}")


def test_the_page_on_update_modules_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = followed("update-modules.md", tmp_path, monkeypatch)

    assert "Hello, new world.\n" in said
    assert said.endswith("Hello.\n")
    assert list((tmp_path / "data" / "payloads").iterdir()) == []


def test_the_page_on_state_scripts_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = followed("state-scripts.md", tmp_path, monkeypatch)

    assert "Download_Enter_00_room (stdout): there is " in said
    assert "ArtifactInstall_Enter_10_quiet (stderr): busy, later" in said
    assert "ArtifactInstall_Enter_10_quiet: runs again in 0.5 s" in said
    assert "update module keep: ArtifactInstall" in said
