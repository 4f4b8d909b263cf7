# SPDX-License-Identifier: Apache-2.0
"""What an older release left open to all is for root again."""

import os
from pathlib import Path

from ota_agent.device.private import keep_private
from tests.unit.agent.api.other_user import NOBODY


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_agents_folder_and_the_logs_of_boots_are_closed(tmp_path: Path) -> None:
    data, boot = tmp_path / "ota", tmp_path / "ota" / "boots" / "000001-a"
    (boot / "pstore").mkdir(parents=True)
    for each in (boot / "kernel", boot / "pstore" / "dmesg", tmp_path / "else"):
        each.touch()
        each.chmod(0o644)
    (boot / "link").symlink_to(tmp_path / "else")

    keep_private(data, data / "boots")

    for folder in (data, data / "boots", boot, boot / "pstore"):
        assert mode(folder) == 0o700
    assert mode(boot / "kernel") == mode(boot / "pstore" / "dmesg") == 0o600
    assert mode(tmp_path / "else") == 0o644


def test_what_is_not_there_or_not_ours_stops_nothing(tmp_path: Path) -> None:
    data = tmp_path / "ota"
    keep_private(data, data / "boots")
    data.mkdir()
    data.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(data, NOBODY, -1)

    keep_private(data, data / "boots")

    assert mode(data) == (0o755 if os.geteuid() == 0 else 0o700)
