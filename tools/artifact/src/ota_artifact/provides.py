# SPDX-License-Identifier: Apache-2.0
"""What an artifact provides and clears by convention.

Source: mender-artifact 4.4, behaviour of ``write rootfs-image`` and ``write module-image``.
"""

from dataclasses import dataclass

ROOTFS = "rootfs-image"
"""The payload type of a root filesystem, and the first part of the keys that it provides."""

TRUST_FILE = "ota-trust"
"""The payload type of a trust file."""

NAME, GROUP = "artifact_name", "artifact_group"
"""Keys of the provides of every artifact, and of one with a group; NAME in artifact_info too."""

CHECKSUMS = (f"{ROOTFS}.checksum", "rootfs_image_checksum")
"""Keys of the provided sha256 of a root filesystem: the current one, and that before 2.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """How the installed software is named in the provides.

    Attributes:
        filesystem: first part of the key, ``rootfs-image`` by default.
        name: second part; by default the update module's name, none for a root filesystem.
        version: by default the artifact name.
        is_default: whether a version is provided even if none is given.
    """

    filesystem: str = ""
    name: str = ""
    version: str = ""
    is_default: bool = True


def software_version(software: Software, artifact_name: str, module: str = "") -> dict[str, str]:
    """The provides entry ``[filesystem].[name].version``; empty if there is no version."""
    name, version = software.name, software.version
    if software.is_default:
        name, version = name or module, version or artifact_name
    if not version:
        return {}
    key = ".".join(part for part in (software.filesystem or ROOTFS, name, "version") if part)
    return {key: version}


def default_clears(software: Software, module: str = "") -> tuple[str, ...]:
    """The clears_artifact_provides of a root filesystem, or of a ``module``'s payload."""
    filesystem = software.filesystem or ROOTFS
    name = software.name or module
    if name:
        return (f"{filesystem}.{name}.*",)
    if filesystem == ROOTFS:
        return (GROUP, "rootfs_image_checksum", f"{ROOTFS}.*")
    return (f"{filesystem}.*",)
