# SPDX-License-Identifier: Apache-2.0
"""Which release a root filesystem is, as it says itself."""

import shlex
from pathlib import Path

from ota_artifact import device_files
from ota_artifact.errors import ArtifactError
from ota_artifact.security_version import parse_number

RELEASE = Path(device_files.RELEASE)


def released(path: Path = RELEASE) -> str:
    """The artifact's name; empty if the root filesystem does not say it."""
    return _said(path).get("artifact", "")


def security_version_of(path: Path = RELEASE) -> int | None:
    """The security version; None if the root filesystem does not say it."""
    try:
        return parse_number(_said(path).get("security_version", ""), str(path))
    except ArtifactError:
        return None


def _said(path: Path) -> dict[str, str]:
    try:
        words = shlex.split(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(each.partition("=")[::2] for each in words)
