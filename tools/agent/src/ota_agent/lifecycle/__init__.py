# SPDX-License-Identifier: Apache-2.0
"""What an update goes through: values and decisions, and nothing that touches the device."""
