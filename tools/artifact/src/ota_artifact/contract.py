# SPDX-License-Identifier: Apache-2.0
"""The variables of the contract between bootloader, image and agent, by name.

The names are Mender's, but for the last. Source: Mender's documentation, "Integrating with U-Boot";
docs/design/boot-logic.md.
"""

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
