# SPDX-License-Identifier: Apache-2.0
"""The two programs that are compared, and how they are called on the device."""

from bench.agent.stand import CONFIGURED

OURS, THEIRS = "ota-agent", "mender-client"

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
"""The whole environment of both programs."""


def words(who: str, *command: str) -> tuple[str, ...]:
    """A command of one of them, as typed on the device."""
    if who == OURS:
        return ("/usr/bin/ota-agent", *command, "--config", CONFIGURED["ours"])
    return ("/usr/bin/mender", "--no-syslog", "--config", CONFIGURED["theirs"], *command)
