# SPDX-License-Identifier: Apache-2.0
"""A trial whose agent does not start goes back, and nothing else does."""

from pathlib import Path

import pytest

from ota_agent.bootloader.file import File
from ota_agent.bootloader.last_resort import give_up_trial


@pytest.mark.parametrize(
    ("environment", "uptime", "reboots"),
    [
        ("upgrade_available=1\n", "601.2 3.4\n", True),
        ("upgrade_available=1\n", "599 3\n", False),
        ("upgrade_available=0\n", "9999 3\n", False),
        ("upgrade_available=0\nota_lost=2\n", "601 3\n", True),
        ("upgrade_available=0\nota_lost=2\n", "599 3\n", False),
        ("upgrade_available=0\nota_lost=\n", "9999 3\n", False),
    ],
)
def test_only_a_trial_or_a_search_that_has_had_its_time_is_given_up(
    environment: str, uptime: str, *, reboots: bool, tmp_path: Path
) -> None:
    (tmp_path / "environment").write_text(environment)
    (tmp_path / "uptime").write_text(uptime)

    give_up_trial(
        "no certificate",
        find=lambda: File(tmp_path / "environment"),
        uptime=tmp_path / "uptime",
        reboot=("touch", str(tmp_path / "rebooted")),
    )

    assert (tmp_path / "rebooted").exists() == reboots


def test_what_is_not_known_to_be_a_trial_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "uptime").write_text("9999 3\n")

    give_up_trial(
        "no certificate",
        find=lambda: File(tmp_path / "none"),
        uptime=tmp_path / "uptime",
        reboot=("touch", str(tmp_path / "rebooted")),
    )

    assert not (tmp_path / "rebooted").exists()
