# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a command that is the agent for one update: to hold it up, or to end it."""

from dataclasses import dataclass

from ota_agent.control.controls import Controls
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import PausePoint


@dataclass(frozen=True, slots=True)
class Busy:
    """See `Commands`."""

    controls: Controls

    def install(self, source: str) -> None:
        """Not now."""
        self._refuse()

    def commit(self) -> None:
        """Not now."""
        self._refuse()

    def rollback(self, reason: str) -> None:
        """Not now."""
        self._refuse()

    def resume(self) -> None:
        """Not now."""
        self._refuse()

    def check_update(self) -> None:
        """Not now."""
        self._refuse()

    def send_inventory(self) -> None:
        """Not now."""
        self._refuse()

    def pause(self, before: PausePoint) -> None:
        """See `Controls.pause`."""
        self.controls.pause(before)

    def go_on(self) -> None:
        """See `Controls.go_on`."""
        self.controls.go_on()

    def abort(self, reason: str) -> None:
        """See `Controls.abort`."""
        self.controls.abort(reason)

    def set_control_map(self, text: str) -> int:
        """See `Controls.set_map`."""
        return self.controls.set_map(text)

    def set_enabled(self, is_enabled: bool) -> None:
        """See `Controls.set_enabled`."""
        self.controls.set_enabled(is_enabled)

    def set_window(self, window: str) -> None:
        """See `Controls.set_window`."""
        self.controls.set_window(window)

    def token(self) -> tuple[str, str]:
        """None: there is no server in this."""
        return "", ""

    def fetch_token(self) -> bool:
        """None: there is no server in this."""
        return False

    def _refuse(self) -> None:
        raise AgentError("a command at work is the agent now; ask again when it has ended")
