# SPDX-License-Identifier: Apache-2.0
"""Both programs as daemons of the simulated server: how soon they poll, what waiting costs."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.agent.programs import ENVIRONMENT, OURS, THEIRS, words
from bench.agent.serve import AUTHORITY
from bench.agent.servers import Watched
from bench.agent.stand import Stand
from ota_artifact.errors import ProgramError
from ota_artifact.run import Background

POLLS = 10
"""The number of polls in the measured time, however long that is."""

_AUTHORITY = "/etc/bench/authority.pem"
_PATIENCE = 60.0  # [s] for the first poll
_SETTLED = 10.0  # [s] after the first poll and the inventory that goes with it
_TICK = 100  # of /proc/PID/stat, in a second. Source: proc(5), USER_HZ
_START = 'echo $$ >"$1"; log=$2; shift 2; exec "$@" >"$log" 2>&1'


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """What a daemon cost.

    Attributes:
        start: CPU time before the measured span, including its children's [s].
        cpu: CPU time in the measured span, including its children's [s].
        rss: peak memory of the daemon itself since it started [B].
        polls: the number of polls in the measured span.
    """

    start: float
    cpu: float
    rss: float
    polls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A running daemon.

    Attributes:
        began: the start of the daemon on the monotonic clock [s].
        pid: process ID.
    """

    who: str
    began: float
    pid: int
    log: Path

    @property
    def cpu(self) -> float:
        """CPU time of all its threads, and of its children that have ended [s]."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        children = (int(fields[13]) + int(fields[14])) / _TICK  # Source: proc(5), cutime, cstime
        # The clock of a process by its number. Source: Linux, include/linux/posix-timers.h
        return time.clock_gettime((~self.pid << 3) | 2) + children

    @property
    def peak(self) -> int:
        """Peak memory [B]."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise ProgramError(f"{self.who}: has ended: {self.said}")

    @property
    def said(self) -> str:
        """The last of what it logged."""
        return self.log.read_text("utf-8", "replace")[-2000:] if self.log.exists() else ""

    def wait_for_poll(self, server: Watched) -> float:
        """Wait until it has asked for a deployment; returns how long that took [s].

        Raises:
            ProgramError: it does not ask.
        """
        while not (polls := server.polls(is_ours=self.who == OURS, since=self.began)):
            if time.monotonic() > self.began + _PATIENCE:
                raise ProgramError(f"{self.who}: no poll after {_PATIENCE:g} s: {self.said}")
            time.sleep(0.02)
        return polls[0] - self.began


def prepare(stand: Stand, server: Watched, folder: Path, *, interval: float) -> None:
    """Configure both, and let them make their keys.

    Args:
        folder: has the certificate of the server's authority.
        interval: from one poll to the next [s].
    """
    often = max(1, round(interval))
    stand.reset(
        {
            "server": {"urls": [server.url]},
            "polling": {"update": often, "retry": often, "start_spread": 0, "jitter": 0},
            "tls": {"allow_plain_http": False, "server_certificate": _AUTHORITY},
        },
        {
            "ServerURL": server.url,
            "ServerCertificate": _AUTHORITY,
            "UpdatePollIntervalSeconds": often,
            "InventoryPollIntervalSeconds": 28800,
            "RetryPollIntervalSeconds": often,
        },
    )
    stand.inside(_AUTHORITY).write_bytes((folder / AUTHORITY).read_bytes())
    for who in (OURS, THEIRS):
        with daemon(stand, who, folder) as one:
            one.wait_for_poll(server)


def start_times(
    stand: Stand, server: Watched, folder: Path, *, rounds: int, say: Callable[[str], None]
) -> dict[str, float]:
    """From exec to the server's answer to the first poll, the median of each [s]."""
    times: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for number in range(rounds):
        for who in (OURS, THEIRS) if number % 2 else (THEIRS, OURS):
            with daemon(stand, who, folder) as one:
                times[who].append(one.wait_for_poll(server))
            say(f"start: {number + 1} of {rounds}: {who}: {times[who][-1]:.2f} s to the first poll")
    return {who: statistics.median(each) for who, each in times.items()}


def idle(
    stand: Stand, server: Watched, folder: Path, *, seconds: float, say: Callable[[str], None]
) -> dict[str, Idle]:
    """Run both at the same time for so long [s], without an update to install.

    Raises:
        ProgramError: one ends, or does not poll.
    """
    with ExitStack() as stack:
        daemons = [stack.enter_context(daemon(stand, who, folder)) for who in (OURS, THEIRS)]
        for each in daemons:
            each.wait_for_poll(server)
        time.sleep(_SETTLED)
        since = time.monotonic()
        begun = {each.who: each.cpu for each in daemons}
        _pass(server, since + seconds, say)
        return {each.who: _cost(each, begun[each.who], server, since) for each in daemons}


def _pass(server: Watched, end: float, say: Callable[[str], None]) -> None:
    """Wait, and print the rest each minute; read the server's pipe so that it does not fill."""
    left = end - time.monotonic()
    while left > 0:
        say(f"idle: {left:.0f} s to go")
        time.sleep(min(60.0, left))
        server.look()
        left = end - time.monotonic()


def _cost(one: Daemon, begun: float, server: Watched, since: float) -> Idle:
    polls = len(server.polls(is_ours=one.who == OURS, since=since))
    if not polls:
        raise ProgramError(f"{one.who}: did not ask while it was idle: {one.said}")
    return Idle(start=begun, cpu=one.cpu - begun, rss=one.peak, polls=polls)


@contextmanager
def daemon(stand: Stand, who: str, folder: Path) -> Iterator[Daemon]:
    """A daemon while the block runs.

    Args:
        folder: for its log.
    """
    number, log = folder / f"{who}.pid", folder / f"{who}.log"
    number.unlink(missing_ok=True)
    settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    argv = ("env", "-i", *settings, *stand.argv(*words(who, "daemon")))
    began = time.monotonic()
    process = Background(("sh", "-c", _START, "sh", str(number), str(log), *argv))
    try:
        while not (number.exists() and number.read_text().endswith("\n")):
            if not process.is_running:
                raise ProgramError(f"{who}: could not be started")
            time.sleep(0.001)
        yield Daemon(who=who, began=began, pid=int(number.read_text()), log=log)
    finally:
        process.kill()
        process.close()
