# SPDX-License-Identifier: Apache-2.0
"""The device API: a unix socket that says what the agent is doing, and takes requests.

docs/reference/device-api.md is its reference; calls.py lists its calls.
"""

from dataclasses import dataclass

from ota_agent.bounds import bounded


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Which users may talk to the agent.

    Attributes:
        group: members of this group may watch, pause, continue, and abort; empty: only root.
        clients: how many may be connected at once; those who are not root may use half of them.
    """

    group: str = ""
    clients: int = bounded(16, least=1)
