# SPDX-License-Identifier: Apache-2.0
"""The README's first hour works as written."""

from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from tests.conftest import requires_program
from tests.house.pages import commands, follow
from tests.house.tree import ROOT


@pytest.mark.boot
@requires_program("mke2fs", package="e2fsprogs")
@requires_program("openssl", package="openssl")
def test_the_first_hour_of_the_readme_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = commands((ROOT / "README.md").read_text("utf-8"), "The first hour")

    said = follow(script)

    assert "validated successfully" in said
    assert (tmp_path / "v2.mender").exists()


def test_a_command_that_fails_ends_the_hour() -> None:
    with pytest.raises(ProgramError, match="exit code 1"):
        follow("false\ntrue")


def test_a_section_without_commands_is_found() -> None:
    page = "# A\n\n## First\n\n```sh\ntrue\n```\n\ntext\n\n```sh\nfalse\n```\n\n## Second\n"

    assert commands(page, "First") == "true\nfalse\n"
    with pytest.raises(ValueError, match="no commands under 'Second'"):
        commands(page, "Second")
