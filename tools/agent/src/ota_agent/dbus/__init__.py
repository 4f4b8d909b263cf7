# SPDX-License-Identifier: Apache-2.0
"""D-Bus: a bridge over the device API, in a process of its own that the bus starts.

docs/reference/d-bus.md is its reference. The daemon knows nothing of it.
"""
