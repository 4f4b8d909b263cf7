# SPDX-License-Identifier: Apache-2.0
"""The tiers of the tests, and how a test says what it needs.

A test without a marker takes less than a second. ``boot`` marks tests that take longer, since they
boot something or run much code; ``full`` marks tests that take minutes. `make test` runs the first
two tiers, `make test-all` all three.
"""

import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background of a shell
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or no child would hear Ctrl-C

# Debian has debugfs, sshd and others where an ordinary user's $PATH does not look.
os.environ["PATH"] = os.pathsep.join(
    dict.fromkeys((*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/sbin", "/sbin"))
)

PROMPT = 1.0  # what a test without a marker may take [s]

_slow = pytest.StashKey[list[tuple[float, str]]]()


def requires_program(program: str, *, package: str) -> pytest.MarkDecorator:
    """A mark that skips a test if a program is missing, and names the package that has it."""
    found = shutil.which(program)
    return pytest.mark.skipif(not found, reason=f"no {program} here: apt-get install {package}")


def _has_localhost() -> bool:
    try:
        return bool(socket.getaddrinfo("localhost", None, socket.AF_INET))
    except OSError:
        return False


requires_localhost = pytest.mark.skipif(
    not _has_localhost(), reason="localhost has no address here: put 127.0.0.1 into /etc/hosts"
)
"""A mark for tests that need a second name for this machine."""


def nobody_may_enter(folder: Path) -> bool:
    """Whether a user without rights can reach a folder; root's home, for one, is closed."""
    return all(each.stat().st_mode & 0o005 == 0o005 for each in (folder, *folder.parents))


TREE_IS_OPEN = os.geteuid() != 0 or nobody_may_enter(Path(__file__).parents[1])
"""Whether root can run a test as the user nobody, who has to read this tree."""

requires_open_tree = pytest.mark.skipif(
    not TREE_IS_OPEN,
    reason="the user nobody may not enter this tree: move it out of a closed folder",
)
"""A mark for tests that root runs as nobody."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_slow] = []


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    marked = any(item.get_closest_marker(tier) for tier in ("boot", "full"))
    if call.when == "call" and call.duration > PROMPT and not marked:
        item.config.stash[_slow].append((call.duration, item.nodeid))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """List the slow tests. They do not fail, since machines differ, but need a look."""
    slow = config.stash[_slow]
    if slow:
        terminalreporter.section(f"longer than {PROMPT:g} s without a marker")
        for seconds, test in sorted(slow, reverse=True):
            terminalreporter.line(f"{seconds:6.1f} s  {test}")
