# SPDX-License-Identifier: Apache-2.0
"""Chooses the Debian packages of an image, and downloads them."""
