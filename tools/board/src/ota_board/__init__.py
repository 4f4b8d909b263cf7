# SPDX-License-Identifier: Apache-2.0
"""Boards as data: their description, disk layout and bootloader environment."""

__version__ = "0.1.0"
