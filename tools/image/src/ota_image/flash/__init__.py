# SPDX-License-Identifier: Apache-2.0
"""Writes an image to a card or another whole disk."""
