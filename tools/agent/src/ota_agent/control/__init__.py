# SPDX-License-Identifier: Apache-2.0
"""Holds an update up, or ends it: control maps, the device API, the maintenance window."""

from dataclasses import dataclass

from ota_agent.bounds import bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions:
    """How updates are held up on this device, in addition to what the server says.

    Attributes:
        enabled: whether the server is asked for updates, and those that were downloaded are
            installed; the device API can change it.
        window: when updates may be installed, as local time, such as "22:00-05:00" or "Mon-Fri
            22:00-05:00, Sun 00:00-24:00"; empty: always. The device API can change it.
        expiry: how long an update control map counts after it was received [s].
        boot_expiry: how long one counts that was there before a restart [s].
        hold: how long a user who is not root may have an update wait before one state [s]; then it
            continues. Within this time, such users can abort one update.
        refresh: how long until the server is asked for its map again while an update is paused [s].
    """

    enabled: bool = True
    window: str = ""
    expiry: float = 3600.0
    boot_expiry: float = 600.0
    hold: float = 86400.0
    refresh: float = bounded(60.0, least=0.1)
