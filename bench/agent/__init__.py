# SPDX-License-Identifier: Apache-2.0
"""What the agent costs, compared with Debian's mender-client in one run on one system."""
