# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a board under test."""


class HilError(Exception):
    """The board did not do what was expected; the text has its last output."""
