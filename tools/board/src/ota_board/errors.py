# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a board's description."""


class BoardError(Exception):
    """The description is at fault. The text has place (file:line), finding and remedy."""


class LayoutError(BoardError):
    """What is described does not fit onto the disk."""


class TemplateFault(Exception):
    """A template of ours is wrong, which is our bug. The text has file, line and finding."""
