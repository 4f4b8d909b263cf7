# SPDX-License-Identifier: Apache-2.0
"""Which boot logic starts a device, and which one a slot needs.

No update changes the bootloader. So the bootloader names its boot logic in the kernel's arguments,
the meta-data of an artifact say which one its slot needs, and an agent compares the two. See
docs/design/boot-logic.md.
"""

import json

from ota_artifact.contract import ARGUMENT, NUMBER

CURRENT = 1
"""The boot logic in bootloader/. One that can start slots that the one before cannot gets a new
number."""

NEEDED = 1
"""The oldest boot logic that starts the slots which are built now."""

_FIELD = "boot_logic"  # of the meta-data


def started_by(arguments: str) -> int | None:
    """The boot logic that a kernel's arguments name; 0 for another bootloader's; None: not asked.

    Args:
        arguments: as in /proc/cmdline. A slot has its bootloader fill in the number; one without
            it leaves it empty.
    """
    for word in reversed(arguments.split()):
        name, sign, value = word.partition("=")
        if name == ARGUMENT and sign:
            return int(value) if NUMBER.fullmatch(value) else 0
    return None


def with_logic(meta_data: bytes, number: int) -> bytes:
    """A payload's meta-data, which say in addition what boot logic its slot needs.

    Args:
        meta_data: a JSON object, or empty.
    """
    return json.dumps({**json.loads(meta_data or b"{}"), _FIELD: number}).encode()


def logic_in(meta_data: bytes) -> int | None:
    """The boot logic that a payload's meta-data ask for; None if they do not."""
    try:
        found = json.loads(meta_data or b"{}").get(_FIELD)
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if type(found) is int and found >= 0 else None
