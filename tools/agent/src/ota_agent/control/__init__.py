# SPDX-License-Identifier: Apache-2.0
"""Who may hold an update up, or end it: control maps, the device API, the maintenance window."""
