# SPDX-License-Identifier: Apache-2.0
"""D-Bus: a bridge over the device API, in its own process, which the bus starts.

docs/reference/d-bus.md is its reference. The daemon knows no D-Bus.
"""
