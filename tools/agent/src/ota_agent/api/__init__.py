# SPDX-License-Identifier: Apache-2.0
"""The device API: a unix socket that says what the agent is doing, and takes requests.

docs/reference/device-api.md is its reference. This file says what the daemon has to offer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ota_agent.lifecycle.actions import PausePoint

SOCKET = Path("/run/ota/agent.sock")
"""Where the agent serves, unless its folder for that is another one."""


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Who may talk to the agent.

    Attributes:
        group: members of this group may watch, pause, continue, abort, and switch updates on and
            off; empty: root alone.
        clients: how many may be connected at once; those who are not root may use half of them.
    """

    group: str = ""
    clients: int = 16


class Commands(Protocol):
    """What the daemon does when it is asked to.

    Each gives at once, having put what is to be done into the daemon's queue, or raises
    `AgentError` if that cannot be done now. They are called in the thread of the socket.
    """

    def install(self, source: str) -> None:
        """Install the artifact at a URL or path."""
        ...

    def commit(self) -> None:
        """The update that runs on trial stays."""
        ...

    def rollback(self, reason: str) -> None:
        """The update goes."""
        ...

    def resume(self) -> None:
        """Go on with an update that waits for the restart or for a person."""
        ...

    def check_update(self) -> None:
        """Ask the server now."""
        ...

    def send_inventory(self) -> None:
        """Send the inventory now."""
        ...

    def pause(self, before: PausePoint) -> None:
        """Have updates wait before a state."""
        ...

    def go_on(self) -> None:
        """End what `pause` began: what waits goes on."""
        ...

    def abort(self, reason: str) -> None:
        """End the update that is under way; it fails."""
        ...

    def set_control_map(self, text: str) -> int:
        """Take an update control map, a JSON text; gives when to send it again [s]."""
        ...

    def set_enabled(self, is_enabled: bool) -> None:
        """Whether updates are installed at all."""
        ...

    def set_window(self, window: str) -> None:
        """When updates may be installed; empty: always."""
        ...

    def token(self) -> tuple[str, str]:
        """The server's token for this device, and the server's URL; both empty without one."""
        ...

    def fetch_token(self) -> bool:
        """Have the server asked for a token; False if there is no server to ask."""
        ...
