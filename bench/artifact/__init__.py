# SPDX-License-Identifier: Apache-2.0
"""What ota-artifact costs, compared with mender-artifact in one run on one image."""
