# SPDX-License-Identifier: Apache-2.0
"""The whole product once, on a terminal: an image, a good release, and one that panics."""
