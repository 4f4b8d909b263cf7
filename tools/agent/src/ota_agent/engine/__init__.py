# SPDX-License-Identifier: Apache-2.0
"""Has it all happen: the runtime, the daemon, and the one place that puts the parts together."""
