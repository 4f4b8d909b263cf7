# SPDX-License-Identifier: Apache-2.0
"""Whether the system that runs is healthy, by the commands that its maker put into a folder."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ota_agent.bounds import bounded
from ota_agent.errors import AgentError
from ota_agent.owners import require_trusted
from ota_agent.payloads import UMASK
from ota_agent.payloads.scripts import files_in, is_executable
from ota_artifact.errors import ProgramError
from ota_artifact.run import Channel, Supervised

logger = logging.getLogger(__name__)

NOT_YET = 75
"""The exit code of a check that wants to be asked again. Source: sysexits.h, EX_TEMPFAIL."""

_PAUSE = 5.0  # [s] until a check that said "not yet" is asked again
_LINES = 5  # of what a check said last that go into the error


Policy = Literal["require-server", "grace", "local"]
"""What to do with a trial whose server is out of reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOptions:
    """What a new system must show before it is committed.

    Attributes:
        folder: of executables, run in the order of their names: 0 is healthy, 75 is not yet, and
            every other exit code rolls the update back.
        timeout: how long one check may take [s].
        patience: how long checks may keep saying "not yet" [s].
        policy: of a trial whose server is out of reach: ``require-server`` rolls back after
            ``server_patience``, ``grace`` commits after ``grace`` if the checks are passed, and
            ``local`` commits as soon as they are.
        server_patience: with ``require-server``, how long the server may be out of reach [s].
        grace: with ``grace``, how long the server may be out of reach [s].
        power_cuts: how many of them a healthy trial of a deployment survives while it waits for the
            server, or is paused; 0 means that every boot before the commit rolls back.
        deadline: how long after its boot a trial is rolled back on which no agent is at work [s]; 0
            means never. The script ``deadline`` reads it from agent.toml alone.
    """

    folder: Path = Path("/etc/ota/health.d")
    timeout: float = bounded(60.0, least=0.1)
    patience: float = 600.0
    policy: Policy = "require-server"
    server_patience: float = 2160.0  # Source: Mender's client, 12 tries by its defaults
    grace: float = 86400.0
    power_cuts: int = 3
    deadline: float = 900.0


def check_health(
    options: CommitOptions,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run the checks in the order of their names; one that says "not yet" is asked again.

    Raises:
        AgentError: a check failed, took too long, was not ready in time, or could be changed by
            others than root; the text has its name and what it said.
    """
    end = clock() + options.patience
    checks = [each for each in sorted(files_in(options.folder)) if is_executable(each)]
    for check in checks:
        require_trusted(check)
        code, said = _run(check, options.timeout)
        is_waiting = False
        while code == NOT_YET:
            if clock() + _PAUSE > end:
                raise AgentError(
                    f"health check {check}: not ready after {options.patience:g} s{said}"
                )
            if not is_waiting:
                logger.info("health check %s: not yet%s", check.name, said)
                is_waiting = True
            sleep(_PAUSE)
            code, said = _run(check, options.timeout)
        if code != 0:
            raise AgentError(f"health check {check}: exit code {code}{said}")
        logger.info("health check %s: healthy", check.name)
    if not checks:
        logger.info(
            "%s: has no health checks; that it got this far is all that is known", options.folder
        )


def _run(check: Path, timeout: float) -> tuple[int, str]:
    """Its exit code, and what it said last, ready to be put behind another text."""
    said: list[str] = []

    def hear(channel: Channel, line: str) -> None:
        logger.debug("health check %s: %s", check.name, line)
        said.append(line)
        del said[:-_LINES]

    try:
        with Supervised((check,), timeout=timeout, hear=hear, umask=UMASK) as program:
            code = program.finish()
    except ProgramError as error:
        raise AgentError(f"health check {error}{_text(said)}") from error
    return code, _text(said)


def _text(said: list[str]) -> str:
    text = " | ".join(line.strip() for line in said if line.strip())
    return f": {text}" if text else ""
