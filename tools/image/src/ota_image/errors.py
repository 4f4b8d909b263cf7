# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, grouped by who has to act."""


class ImageError(Exception):
    """The input is wrong: an image, a recipe, an option. The text has place, finding, remedy."""


class UnknownTable(ImageError):
    """A file has neither an MBR nor a GPT, and is not a filesystem either."""


class WorldError(Exception):
    """The world gets in the way: network, space, a device, another program."""
