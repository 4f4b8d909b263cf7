# SPDX-License-Identifier: Apache-2.0
"""The command `ota-artifact`: one file for each sub-command, which parses, calls and prints."""

from ota_artifact.start import start


def begin() -> None:
    """What the installed script calls."""
    start("ota_artifact.cli.main")
