# SPDX-License-Identifier: Apache-2.0
"""Whether a new system has proven itself."""
