# SPDX-License-Identifier: Apache-2.0
"""What the agent costs beside Debian's mender-client, measured in one run on one system."""
