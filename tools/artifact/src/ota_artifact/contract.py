# SPDX-License-Identifier: Apache-2.0
"""The variables of the contract between bootloader, image and agent, by name.

The names are Mender's, but for the last ones. Source: Mender's documentation, "Integrating with

The names are Mender's, but for the last ones. Source: Mender's documentation, "Integrating with
U-Boot"; docs/design/boot-logic.md.
"""

import re

NUMBER = re.compile(r"[0-9]{1,9}")
"""A value that is a number to both bootloaders and to Linux."""

PART, PART_HEX = "mender_boot_part", "mender_boot_part_hex"
"""The partition that is started next; GRUB has it only in decimal."""

TRIAL = "upgrade_available"
"""1: that partition is on trial."""

COUNT, LIMIT = "bootcount", "bootlimit"
"""How often a trial was booted, and how often it may be."""

CHECKED, CANARY = "mender_check_saveenv_canary", "mender_saveenv_canary"
"""1 and 1: U-Boot has saved its environment where Linux reads it."""

WHY = "ota_rollback"
"""Why the bootloader went back to the other slot; ours."""

GOOD = {"A": "ota_good_a", "B": "ota_good_b"}
"""1: the slot was committed, and not written since; the bootloader falls back to no other. Ours."""

LOST = "ota_lost"
"""Set: no copy was valid, and the bootloader starts the slots in turn until it is removed; ours."""

FLOOR = "ota_floor"
"""The security versions below which the device never goes back; ours."""

LOGIC, ARGUMENT = "ota_logic", "ota.logic"
"""The number of the boot logic, and the kernel's argument that tells it to Linux; ours."""
