# SPDX-License-Identifier: Apache-2.0
"""Finds on a disk image what will strand a device later: each hazard with its cause and remedy."""
