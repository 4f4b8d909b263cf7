# SPDX-License-Identifier: Apache-2.0
"""How fast an image is made, compared with other programs on the same input."""
