# SPDX-License-Identifier: Apache-2.0
"""The agent: what runs on the device, and brings an update onto it or leaves it as it was."""

__version__ = "0.1.0"
