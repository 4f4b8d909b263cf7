# SPDX-License-Identifier: Apache-2.0
"""A clock that starts in 1970."""

import errno
import os
from pathlib import Path

import pytest

from ota_agent.device.clock import floor, raise_clock

BUILT = 1_700_000_000.0


def test_the_floor_is_the_newest_of_what_came_with_the_image(tmp_path: Path) -> None:
    package, layout = tmp_path / "package", tmp_path / "layout.json"
    package.mkdir()
    for path, time in ((package / "a.py", BUILT), (package / "b.py", 5.0), (layout, 7.0)):
        path.write_text("")
        os.utime(path, (time, time))
    os.utime(package, (1, 1))

    assert floor([package, layout, tmp_path / "none"]) == BUILT
    assert floor([tmp_path / "none"]) == 0


def test_the_floor_of_this_agent_is_a_time_that_has_been() -> None:
    import time

    assert BUILT < floor() <= time.time()


def test_a_clock_before_the_floor_is_set_to_it(caplog: pytest.LogCaptureFixture) -> None:
    set_to: list[float] = []

    assert raise_clock(BUILT, now=lambda: 12.0, set_clock=set_to.append)

    assert set_to == [BUILT]
    assert "clock: 1970-01-01 00:00 is before the agent was built" in caplog.text
    assert "set to 2023-11-14" in caplog.text


def test_a_clock_that_can_be_right_is_left_alone() -> None:
    assert not raise_clock(BUILT, now=lambda: BUILT, set_clock=lambda to: pytest.fail("set"))


def test_a_clock_that_cannot_be_set_is_a_warning_and_no_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(to: float) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    assert not raise_clock(BUILT, now=lambda: 12.0, set_clock=refuse)

    assert "cannot be set (Operation not permitted)" in caplog.text
