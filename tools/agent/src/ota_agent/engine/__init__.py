# SPDX-License-Identifier: Apache-2.0
"""Runs the agent: the runtime, the daemon, and the one place that puts the parts together."""
