# SPDX-License-Identifier: Apache-2.0
"""The log of a deployment: over restarts, bounded, and never in an update's way."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.server.deployment_log import DeploymentLog, LogOptions

logger = logging.getLogger("ota_agent.test")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[DeploymentLog]:
    logging.getLogger().setLevel(logging.INFO)
    found = DeploymentLog(LogOptions(folder=tmp_path / "logs"))
    yield found
    found.close()


def messages(log: DeploymentLog) -> list[str]:
    return [each["message"] for each in log.lines()]


def test_what_is_logged_meanwhile_is_in_it_and_nothing_else(log: DeploymentLog) -> None:
    logger.info("before")
    log.open("d1")
    logger.info("during %s", 1)
    logger.debug("too much")

    said = log.lines(["kernel: panic"])

    assert [each["message"] for each in said] == ["kernel: panic", "during 1"]
    assert said[0]["level"] == "info"
    assert said[0]["timestamp"].endswith("+00:00")


def test_it_continues_after_a_restart(log: DeploymentLog, tmp_path: Path) -> None:
    log.open("d1")
    logger.info("one")
    log.close()
    again = DeploymentLog(LogOptions(folder=tmp_path / "logs"))

    again.open("d1")
    logger.info("two")

    assert messages(again) == ["one", "two"]
    again.close()


def test_a_line_that_a_power_cut_damaged_loses_no_other(log: DeploymentLog, tmp_path: Path) -> None:
    log.open("d1")
    logger.info("one")
    with (tmp_path / "logs" / "deployments.d1.log").open("ab") as file:
        file.write(b'{"timestamp": "20\0\0\n')

    logger.info("two")

    assert messages(log) == ["one", "(a damaged line)", "two"]


def test_the_newest_part_of_a_long_one_is_sent(log: DeploymentLog) -> None:
    log.open("d1")
    for number in range(600):
        logger.info("%d %s", number, "x" * 2000)

    said = messages(log)

    assert said[-1].startswith("599 ")
    assert said[0] == "older lines are left out"
    assert sum(map(len, said)) < 1 << 20


def test_five_are_kept(log: DeploymentLog, tmp_path: Path) -> None:
    for number in range(8):
        log.open(f"d{number}")
        logger.info("x")

    assert len(list((tmp_path / "logs").iterdir())) == 5
    assert messages(log) == ["x"]


def test_a_full_disk_fails_nothing(log: DeploymentLog, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "deployments.d1.log").symlink_to("/dev/full")

    log.open("d1")
    logger.info("x")


def test_a_name_that_leaves_the_folder_does_not(log: DeploymentLog, tmp_path: Path) -> None:
    log.open("../../etc/x")
    logger.info("x")

    assert [each.name for each in (tmp_path / "logs").iterdir()] == ["deployments.______etc_x.log"]


def test_the_logs_of_boots_leave_room_for_the_reason(log: DeploymentLog) -> None:
    log.open("d1")
    logger.info("the reason")

    said = [each["message"] for each in log.lines("k" * 1000 for _ in range(5000))]

    assert said[-1] == "the reason"
    assert said[0] == "older lines are left out"
    assert sum(map(len, said)) < 1 << 20
