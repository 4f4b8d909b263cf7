# SPDX-License-Identifier: Apache-2.0
"""What a kernel can drive, and what a board's device trees say is there to be driven."""
