# SPDX-License-Identifier: Apache-2.0
"""The configuration file that a device gets says what the code does."""

import re
from pathlib import Path

from ota_agent.config.settings import Settings, default_file, load_settings
from tests.unit.agent.configuration import FILE


def test_it_is_current() -> None:
    assert FILE.read_text("utf-8") == default_file(), "agent.toml is stale; run `make docs`"


def test_as_it_is_it_changes_nothing(tmp_path: Path) -> None:
    assert load_settings(FILE, menders=()) == Settings()


def test_its_defaults_can_be_taken_at_their_word(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(re.sub(r"^#(\w+ = )", r"\1", FILE.read_text("utf-8"), flags=re.MULTILINE))

    assert load_settings(path, menders=()) == Settings()
