# SPDX-License-Identifier: Apache-2.0
"""Mender artifacts, the files that carry an update: read, write, sign, check, change."""

__version__ = "0.1.0"
