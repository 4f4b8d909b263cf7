# SPDX-License-Identifier: Apache-2.0
"""A clock that cannot be right: before the time at which the agent was built.

A board without a battery starts in 1970, where no certificate is valid yet, and if the time comes
over TLS, never gets out of there. Setting the clock forward to the time of the build makes
certificates of that time valid, and keeps none alive that has expired since: the floor is a time
that has been. systemd-timesyncd does the same.
"""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ota_agent.device.options import DeviceOptions

logger = logging.getLogger(__name__)

PACKAGE = Path(__file__).parent.parent
LAYOUT = DeviceOptions().layout
EPOCH = Path("/usr/lib/clock-epoch")
"""Its time of change is the image's. Source: systemd-timesyncd(8)."""


def floor(places: Iterable[Path] = (PACKAGE, LAYOUT, EPOCH)) -> float:
    """The newest time of change [s since 1970] of files that came with the image; 0 if none is."""
    newest = 0.0
    for place in places:
        for path in (place, *place.glob("**/*.py")):
            try:
                newest = max(newest, path.stat().st_mtime)
            except OSError:
                continue
    return newest


def raise_clock(
    least: float,
    *,
    now: Callable[[], float] = time.time,
    set_clock: Callable[[float], None] = lambda to: time.clock_settime(time.CLOCK_REALTIME, to),
) -> bool:
    """Set a clock that is before ``least`` [s since 1970] to it; gives whether it was set.

    Never fails: what is then refused for the clock's sake says so itself.
    """
    found = now()
    if found >= least:
        return False
    texts = [time.strftime("%Y-%m-%d %H:%M", time.gmtime(each)) for each in (found, least)]
    try:
        set_clock(least)
    except OSError as error:
        logger.warning(
            "clock: %s is before the agent was built, %s, and cannot be set (%s): certificates may"
            " not be valid yet; set the clock",
            *texts,
            error.strerror,
        )
        return False
    logger.warning("clock: %s is before the agent was built; it is set to %s", *texts)
    return True
