# SPDX-License-Identifier: Apache-2.0
"""What `ota-image doctor` finds in an image, and `ota-agent doctor` on a device."""

from dataclasses import dataclass
from typing import Literal

from ota_artifact.names import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One hazard that is there; docs/reference/doctor.md has its form in JSON.

    Attributes:
        hazard: its name, always the same.
        place: where, in the image or on the device.
        cause: what was seen, and what comes of it.
        remedy: what to do.
        severity: an error keeps updates from working, or lets one strand the device; a warning is
            for the device's owner to decide.
    """

    hazard: str
    place: str
    cause: str
    remedy: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """As a command prints it, in three lines, whatever the texts of an image have in them."""
        first = f"{self.severity}: {self.hazard}: {printable(self.place)}"
        return f"{first}\n  cause: {printable(self.cause)}\n  remedy: {printable(self.remedy)}"


def fault(hazard: str, place: object, cause: object, remedy: str) -> Finding:
    """A finding of severity error."""
    return Finding(hazard=hazard, place=str(place), cause=str(cause), remedy=remedy)


def warning(hazard: str, place: object, cause: str, remedy: str) -> Finding:
    """A finding of severity warning."""
    return Finding(hazard=hazard, place=str(place), cause=cause, remedy=remedy, severity="warning")
