# SPDX-License-Identifier: Apache-2.0
"""The keys that count on a device with these settings."""

from collections.abc import Callable

from ota_agent.admission.ring import NAME, KeyRing
from ota_agent.config.settings import Settings
from ota_agent.device.device_type import find_device_type
from ota_agent.lifecycle.floor import Floor


def ring_of(settings: Settings, floor: Callable[[], Floor], *, doubt: str = "") -> KeyRing:
    """The keys that count.

    Args:
        floor: of this device.
        doubt: why it is not known whether keys are configured; empty if it is.
    """
    return KeyRing(
        options=settings.keys,
        slot_keys=settings.slot_keys or settings.keys.keys,
        path=settings.device.data / NAME,
        device_type=lambda: find_device_type(settings.device).name,
        floor=floor,
        doubt=doubt,
    )
