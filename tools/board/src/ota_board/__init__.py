# SPDX-License-Identifier: Apache-2.0
"""Boards as data: their description, their disk layout, their bootloader's environment."""

__version__ = "0.1.0"
