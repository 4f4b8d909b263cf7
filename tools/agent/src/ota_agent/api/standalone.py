# SPDX-License-Identifier: Apache-2.0
"""What every agent can be asked, also a command that is the agent for only one update."""

from dataclasses import dataclass

from ota_agent.api.status import LiveStatus
from ota_agent.control.controls import Controls
from ota_agent.lifecycle.actions import PausePoint


@dataclass(frozen=True, slots=True)
class StandaloneCommands:
    """Carries out calls, by their names in `CALLS`; those that it lacks take a daemon."""

    controls: Controls
    live: LiveStatus

    def pause(self, before: PausePoint) -> None:
        """Have updates wait before a state."""
        self.controls.pause(before)

    def hold(self, before: PausePoint) -> None:
        """The same for a user who is not root: it ends after a time, and with the agent."""
        self.controls.hold(before)

    def go_on(self) -> None:
        """End what `pause` began: what waits continues."""
        self.controls.go_on()

    def release(self) -> None:
        """The same for a user who is not root: what root has paused stays so."""
        self.controls.release()

    def abort(self, reason: str) -> None:
        """End the update that is under way; it fails."""
        self.controls.abort(reason)

    def refuse(self, reason: str) -> None:
        """The same for a user who is not root, once in a time."""
        self.controls.count_refusal()
        self.controls.abort(reason)

    def set_enabled(self, enabled: bool) -> None:
        """Switch updates on or off."""
        self.controls.set_enabled(enabled)
        self.live.change(is_enabled=enabled)

    def set_window(self, window: str) -> None:
        """Set when updates may be installed; empty: always."""
        self.controls.set_window(window)
        self.live.change(window=window)

    def set_control_map(self, map: str) -> dict[str, int]:
        """Take an update control map; gives when to send it again [s]."""
        return {"refresh": self.controls.set_map(map)}

    def token(self) -> dict[str, str]:
        """There is none: a command talks to no server."""
        return {"token": "", "server": ""}

    def fetch_token(self) -> dict[str, bool]:
        """It cannot be fetched: a command talks to no server."""
        return {"is_fetching": False}
