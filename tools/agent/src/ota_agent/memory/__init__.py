# SPDX-License-Identifier: Apache-2.0
"""What the agent remembers over a restart."""
