# SPDX-License-Identifier: Apache-2.0
"""What ota-artifact costs beside mender-artifact, measured in one run on one image."""
