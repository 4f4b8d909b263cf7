# SPDX-License-Identifier: Apache-2.0
"""Hazards of the agent that runs: whether it answers, and whom."""

import grp
from collections.abc import Iterator

from ota_agent.api.client import Client, NoAgent
from ota_agent.doctor.case import Case
from ota_agent.errors import AgentError
from ota_artifact.finding import Finding, fault, warning


def probe(case: Case) -> Iterator[Finding]:
    """Whether it is there."""
    settings = case.settings
    place = str(settings.device.socket)
    try:
        with Client(settings.device.socket) as client:
            client.status()
    except NoAgent:
        cause = "no agent is running: it does not poll the server, and no trial commits itself"
        remedy = (
            "start `ota-agent daemon`, which init does in our images; its log says why it ended"
        )
        of_severity = fault if settings.server.urls else warning
        yield of_severity("agent-not-running", place, cause, remedy)
    except AgentError as error:
        yield fault("agent-not-running", place, error, "see its log; restart it")
    yield from deadline(case)
    group = settings.api.group
    try:
        if group:
            grp.getgrnam(group)
    except KeyError:
        yield fault(
            "group-missing",
            f"[api] group: {group}",
            "there is no such group: programs that do not run as root cannot talk to the agent",
            f"addgroup --system {group}",
        )


def deadline(case: Case) -> Iterator[Finding]:
    """Whether something ends a trial whose agent does not."""
    settings = case.settings
    watcher = settings.device.run / "deadline"
    if case.slots is not None and settings.commit.deadline > 0 and not watcher.exists():
        yield warning(
            "trial-without-deadline",
            watcher,
            "init has not started the script that ends a trial whose agent does not start: such a"
            " trial lasts until the power is cut",
            "have init call `/usr/lib/ota/deadline start` before it mounts /data; our images do",
        )
