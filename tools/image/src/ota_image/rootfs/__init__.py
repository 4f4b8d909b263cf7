# SPDX-License-Identifier: Apache-2.0
"""Makes root filesystems from Debian packages, without root and without running their programs."""
