# SPDX-License-Identifier: Apache-2.0
"""What starts before the slots do."""
