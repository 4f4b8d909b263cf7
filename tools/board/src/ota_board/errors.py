# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a board's description, or with a template."""


class BoardError(Exception):
    """The description is wrong. The text has place (file:line), finding and remedy."""


class LayoutError(BoardError):
    """The areas of a disk do not fit."""


class TemplateFault(Exception):
    """A template of ours is wrong, which is our bug. The text has file, line and finding."""
