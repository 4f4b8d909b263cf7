# SPDX-License-Identifier: Apache-2.0
"""Brings an artifact here, over as many connections as it takes."""
