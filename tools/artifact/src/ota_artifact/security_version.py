# SPDX-License-Identifier: Apache-2.0
"""The security version of a payload: a number that a device never goes below.

It is a key of what the payload provides, so that the manifest's signature covers it, and a client
that does not know it takes it for one more key. The key begins with the name of the software, as
that of its version does: ``rootfs-image.security_version`` of a root filesystem, and
``rootfs-image.app.security_version`` of a module's payload. Each software has its own floor.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ota_artifact.errors import ArtifactError
from ota_artifact.names import shown
from ota_artifact.provides import ROOTFS, Software

if TYPE_CHECKING:
    from ota_artifact.header import PayloadHeader

MOST = (1 << 31) - 1
"""The highest security version: a number that every shell and bootloader can hold."""

_NUMBER, _LOWERS = ".security_version", ".security_lowers"
_TEXT = re.compile(r"0|[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class SecurityVersion:
    """The security version of one software.

    Attributes:
        software: what it is of: ``rootfs-image``, or such as ``rootfs-image.app``.
        number: 0 to `MOST`.
        lowers: floors, each exact, that the signer allows this artifact to lower to its number.
    """

    software: str
    number: int
    lowers: tuple[int, ...] = ()


def parse_number(text: str, place: str) -> int:
    """A security version.

    Raises:
        ArtifactError: not a whole number in range, or not as a program writes it.
    """
    if not _TEXT.fullmatch(text) or int(text) > MOST:
        raise ArtifactError(
            f"{place}: {shown(text)} is not a security version; use a number from 0 to {MOST}"
        )
    return int(text)


def provides_of(
    number: int, *, lowers: tuple[int, ...] = (), software: Software | None = None, module: str = ""
) -> dict[str, str]:
    """The provides of a payload with a security version.

    Args:
        software: how the software of a module's payload is named; a root filesystem has one name.
        module: the payload type of a module's payload.

    Raises:
        ArtifactError: the number would not be lower than a floor that it lowers.
    """
    of = ROOTFS
    if module:
        named = software or Software()
        of = ".".join((named.filesystem or ROOTFS, named.name or module))
    found = {f"{of}{_NUMBER}": str(number)}
    if lowers:
        found[f"{of}{_LOWERS}"] = " ".join(map(str, lowers))
    _ = security_versions(found)
    return found


def security_versions(provides: Mapping[str, str]) -> tuple[SecurityVersion, ...]:
    """The security versions among what is provided, by the names of their software.

    Raises:
        ArtifactError: one is not a number in range, or lowers what is not above it.
    """
    found = []
    for key in sorted(provides):
        software = key.removesuffix(_LOWERS)
        if software != key and f"{software}{_NUMBER}" not in provides:
            raise ArtifactError(f"{shown(key)}: needs {shown(software + _NUMBER)}; provide both")
        software = key.removesuffix(_NUMBER)
        if software == key:
            continue
        number, place = parse_number(provides[key], shown(key)), shown(f"{software}{_LOWERS}")
        words = provides.get(f"{software}{_LOWERS}", "").split()
        lowers = tuple(parse_number(each, place) for each in words)
        if any(each <= number for each in lowers):
            raise ArtifactError(
                f"{place}: {min(lowers)} is not above the security version {number}; name floors"
                " that are higher"
            )
        found.append(SecurityVersion(software, number, lowers))
    return tuple(found)


def security_keys(provides: Mapping[str, str]) -> dict[str, str]:
    """What of the provides is about security versions."""
    return {key: value for key, value in provides.items() if key.endswith((_NUMBER, _LOWERS))}


def security_version(payload: "PayloadHeader") -> SecurityVersion | None:
    """The security version of a payload; None if it has none.

    Raises:
        ArtifactError: it is wrong, there are several, or it is of another software: that of a root
            filesystem is of ``rootfs-image``, and that of a module's payload is not.
    """
    found = security_versions(payload.provides)
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(shown(each.software + _NUMBER) for each in found)
        raise ArtifactError(f"provides {names}; a payload has one security version")
    is_rootfs = found[0].software == ROOTFS
    if payload.type is not None and is_rootfs != (payload.type == ROOTFS):
        wanted = f"{ROOTFS}{_NUMBER}" if payload.type == ROOTFS else f"{ROOTFS}.NAME{_NUMBER}"
        raise ArtifactError(
            f"{shown(found[0].software + _NUMBER)}: does not belong to a payload of the type"
            f" {shown(payload.type)}; it has {wanted}"
        )
    return found[0]
