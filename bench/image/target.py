# SPDX-License-Identifier: Apache-2.0
"""A target, and whether it was reached."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The most that something may cost.

    Attributes:
        what: the limited cost, in words.
        value: measured.
        limit: in the same unit.
        unit: s or MB; empty for a ratio.
    """

    what: str
    value: float
    limit: float
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the value, not rounded, is within the limit."""
        return self.value <= self.limit

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row of a table."""
        verdict = "reached" if self.is_reached else "**not reached**"
        return self.what, self._shown(self.value), self._shown(self.limit), verdict

    def _shown(self, value: float) -> str:
        if self.unit == "MB":
            return f"{value:.0f} MB"
        return f"{value:.2f}" if not self.unit else f"{value:.1f} {self.unit}"
