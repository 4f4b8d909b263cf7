# SPDX-License-Identifier: Apache-2.0
"""The harness: boards under test, in QEMU and on the bench."""

__version__ = "0.1.0"
