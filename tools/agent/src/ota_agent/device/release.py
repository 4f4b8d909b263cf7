# SPDX-License-Identifier: Apache-2.0
"""Which release a root filesystem is, as it says itself."""

import shlex
from pathlib import Path

from ota_artifact import device_files

RELEASE = Path(device_files.RELEASE)


def released(path: Path = RELEASE) -> str:
    """The artifact's name; empty if the root filesystem does not say it."""
    try:
        words = shlex.split(path.read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return dict(each.partition("=")[::2] for each in words).get("artifact", "")
