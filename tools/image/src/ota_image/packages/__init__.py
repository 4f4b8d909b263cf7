# SPDX-License-Identifier: Apache-2.0
"""Which Debian packages go into an image, and how they get here."""
