# SPDX-License-Identifier: Apache-2.0
"""The command `ota-image`: one file for each sub-command, which parses, calls and prints."""

from ota_artifact.start import start


def begin() -> None:
    """What the installed script calls."""
    start("ota_image.cli.main")
