# SPDX-License-Identifier: Apache-2.0
"""The health checks of a system that is on trial; they are real programs."""

import logging
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.trial.health import CommitOptions, check_health


class Time:
    """A clock that advances only while a caller sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def options(folder: Path, *, patience: float = 60.0, timeout: float = 10.0) -> CommitOptions:
    return CommitOptions(folder=folder, patience=patience, timeout=timeout)


def add(folder: Path, name: str, script: str, *, mode: int = 0o755) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(mode)


def check(given: CommitOptions) -> Time:
    time = Time()
    check_health(given, clock=time.clock, sleep=time.sleep)
    return time


def test_all_checks_run_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "health.d"
    folder.mkdir()
    for name in ("20-b", "10-a", "30-c"):
        add(folder, name, f"echo {name} >> {tmp_path}/order")

    check(options(folder))

    assert (tmp_path / "order").read_text().split() == ["10-a", "20-b", "30-c"]


def test_a_check_that_fails_is_named_with_what_it_said_and_ends_it(tmp_path: Path) -> None:
    folder = tmp_path / "health.d"
    folder.mkdir()
    add(folder, "10-app", "echo no answer on port 80 >&2; exit 3")
    add(folder, "20-never", f"touch {tmp_path}/ran")

    with pytest.raises(AgentError, match=r"10-app: exit code 3: no answer on port 80"):
        check(options(folder))
    assert not (tmp_path / "ran").exists()


def test_a_check_that_is_not_ready_is_asked_again(tmp_path: Path) -> None:
    add(
        tmp_path,
        "app",
        f"echo x >>{tmp_path}/asked; [ $(wc -l <{tmp_path}/asked) -ge 3 ] || exit 75",
    )

    time = check(options(tmp_path))

    assert (tmp_path / "asked").read_text() == "x\n" * 3
    assert time.now == 110.0


def test_a_check_that_is_never_ready_fails_when_patience_is_over(tmp_path: Path) -> None:
    add(tmp_path, "app", "echo still loading; exit 75")
    time = Time()

    with pytest.raises(AgentError, match=r"app: not ready after 60 s: still loading"):
        check_health(options(tmp_path), clock=time.clock, sleep=time.sleep)
    assert 150 < time.now <= 160


def test_patience_is_for_all_checks_together(tmp_path: Path) -> None:
    for name in ("1", "2"):
        file = tmp_path / f"asked-{name}"
        add(tmp_path, name, f"echo x >>{file}; [ $(wc -l <{file}) -ge 8 ] || exit 75")

    with pytest.raises(AgentError, match="2: not ready after 60 s"):
        check(options(tmp_path))


def test_a_check_that_hangs_is_ended(tmp_path: Path) -> None:
    add(tmp_path, "app", "echo begun; exec sleep 60")

    with pytest.raises(
        AgentError, match=r"app: did not finish within 0\.2 s; it was killed: begun"
    ):
        check(options(tmp_path, timeout=0.2))


def test_a_check_that_cannot_start_fails(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("#!/no/such/shell\n")
    (tmp_path / "app").chmod(0o755)

    with pytest.raises(AgentError, match="app"):
        check(options(tmp_path))


def test_what_is_not_executable_is_skipped_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(tmp_path, "forgotten", "exit 1", mode=0o644)
    (tmp_path / "folder").mkdir()

    check(options(tmp_path))

    assert "forgotten: is not executable" in caplog.text
    assert "folder" not in caplog.text.replace(str(tmp_path), "")


def test_without_a_folder_nothing_is_checked_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    check(options(tmp_path / "none"))

    assert "has no health checks" in caplog.text
