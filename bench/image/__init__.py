# SPDX-License-Identifier: Apache-2.0
"""How fast an image is made, measured beside other programs on the same input."""
