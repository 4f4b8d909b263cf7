# SPDX-License-Identifier: Apache-2.0
"""What a probe finds; in the words of `ota-image doctor`, which looks at images."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One hazard that is there.

    Attributes:
        hazard: its name, always the same.
        place: where on the device.
        cause: what was seen, and what comes of it.
        remedy: what to do.
        severity: an error keeps updates from working, or lets one strand the device; a warning is
            for whoever sets the device up to decide.
    """

    hazard: str
    place: str
    cause: str
    remedy: str
    severity: Literal["error", "warning"] = "error"


def warning(hazard: str, place: object, cause: str, remedy: str) -> Finding:
    """A finding that is one."""
    return Finding(hazard=hazard, place=str(place), cause=cause, remedy=remedy, severity="warning")
