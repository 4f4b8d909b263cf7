# SPDX-License-Identifier: Apache-2.0
"""The command `ota-hil`: each sub-command is a module here."""

from ota_artifact.start import start


def begin() -> None:
    """What the installed script calls."""
    start("ota_hil.cli.main")
