# SPDX-License-Identifier: Apache-2.0
"""Finds on a device what will strand it later: each hazard with its cause and remedy."""
