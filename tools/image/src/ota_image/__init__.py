# SPDX-License-Identifier: Apache-2.0
"""Disk images with A/B slots: make them, look into them, find what is wrong with them."""

__version__ = "0.1.0"
