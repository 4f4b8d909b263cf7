# SPDX-License-Identifier: Apache-2.0
"""Disk images: composed from a root filesystem and a layout, looked into, written to a device."""
