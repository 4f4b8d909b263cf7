# SPDX-License-Identifier: Apache-2.0
"""The page on the Cyber Resilience Act works as it is written."""

from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.house.pages import commands, follow
from tests.house.tree import ROOT


@pytest.mark.boot  # starts ota-artifact three times
@requires_program("openssl", package="openssl")
def test_the_page_on_the_cyber_resilience_act_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    said = follow(commands((ROOT / "docs" / "howto" / "cra.md").read_text("utf-8")))

    assert "gate-1.4.1.mender' validated successfully" in said
    assert "rootfs-image.single-file.security_version: 7" in said
    assert "Name: gate-1.4.1" in said


def test_what_the_page_says_of_the_device_is_there() -> None:
    page = (ROOT / "docs" / "howto" / "cra.md").read_text("utf-8")
    scripts = ROOT / "images" / "overlay" / "common"

    assert (scripts / "usr/lib/ota/erase").stat().st_mode & 0o111
    assert "/usr/lib/ota/erase --yes" in page
