# SPDX-License-Identifier: Apache-2.0
"""A test says what it shows of a machine on a release; a table at the end of the run has all of it.

``shows(step, once=False, board=...)``: the release is one of the test's parameters, and so is the
board unless it is named. With ``once``, a test that has passed before with the same layer and
checkouts is not run again.
"""

from collections.abc import Generator

import pytest

from tests.yocto.bitbake import MACHINES, RELEASES
from tests.yocto.runs import STEPS, Shown, content, keep, kept, table

_time = pytest.StashKey[float]()
_begun = pytest.StashKey[dict[str, str]]()
"""The tree when the run began, for each step: nothing is shown of a tree that changed meanwhile."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "shows(step, once, board): see tests/yocto/conftest.py")


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[_begun] = {step: content(step) for step in STEPS if RELEASES}


def _shown(item: pytest.Item) -> tuple[Shown, bool] | None:
    mark = item.get_closest_marker("shows")
    if mark is None or not isinstance(item, pytest.Function):
        return None
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec else ()
    board = mark.kwargs.get("board") or next((each for each in values if each in MACHINES), None)
    release = next((each for each in values if each in RELEASES), None)
    if board is None or release is None:  # without checkouts there are no releases
        return None
    return Shown(board, release, mark.args[0]), bool(mark.kwargs.get("once"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    shown = _shown(item)
    if shown and shown[1]:
        seconds = kept(shown[0])
        if seconds is not None:
            pytest.skip(f"{shown[0].step} before, with the same layer, in {seconds:.0f} s")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_time] = item.stash.get(_time, 0.0) + call.duration
    shown = _shown(item)
    if shown and call.when == "call" and report.passed:
        keep(shown[0], item.stash[_time], begun=item.config.stash[_begun][shown[0].step])
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if RELEASES:
        terminalreporter.section("shown with BitBake, of what is here now")
        terminalreporter.write_line(table())
