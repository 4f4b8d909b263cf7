# SPDX-License-Identifier: Apache-2.0
"""What is not as it should be, for the status."""

from dataclasses import dataclass, field

from ota_agent.api.status import LiveStatus


@dataclass(frozen=True, slots=True)
class Warnings:
    """Sentences for a user, each by what it is about."""

    live: LiveStatus
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, text: str) -> str:
        """Add one that stays; gives it."""
        self.put(text, text)
        return text

    def put(self, about: str, text: str) -> None:
        """Set the one that is about something; empty: there is nothing to say of it."""
        if text:
            self.texts[about] = text
        else:
            self.texts.pop(about, None)
        self.live.change(warning="; ".join(self.texts.values()))
