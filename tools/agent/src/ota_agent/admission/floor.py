# SPDX-License-Identifier: Apache-2.0
"""Whether an artifact is below the floor of what this device has committed. Pure.

Each payload has a number of its software. Where there is none, and no floor either, the names of
the versions are compared.
"""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ota_agent.admission.downgrade import check_versions
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import TRUST, Floor, is_lowered
from ota_artifact.errors import ArtifactError
from ota_artifact.provides import ROOTFS
from ota_artifact.security_version import SecurityVersion, security_version

if TYPE_CHECKING:
    from ota_artifact.header import Header, PayloadHeader


def check_floor(
    header: "Header",
    floor: Floor,
    versions: Mapping[str, str],
    *,
    keys: Collection[str] | None,
    key: str,
) -> None:
    """Pass if no payload brings something back that is older than what was committed.

    Args:
        versions: names of what was committed last, by the provided key.
        keys: ids of those that are configured; None if not all of them are known.
        key: of the provides, which has the version of a root filesystem.

    Raises:
        AgentError: one is below the floor, or there is nothing to compare.
    """
    counting = floor.counting(keys)
    for number, payload in enumerate(header.payloads):
        found = _number(payload, number)
        if found is None and counting.keys() - {TRUST}:
            known = ", ".join(f"{name} {least}" for name, least in counting.items())
            raise AgentError(
                f"downgrade: payload {number} ({payload.type}) has no security version, and this"
                f" device has a floor ({known}); write the artifact with --security-version"
            )
        if found is None:
            check_versions(payload, versions, key)
            continue
        least = floor.of(found.software, keys)
        if least is not None and found.number < least and not is_lowered(least, found):
            raise AgentError(
                f"downgrade: the artifact has {found.software}.security_version {found.number},"
                f" and the floor of this device is {least}; write it with --security-version"
                f" {least} or higher, or sign one that may lower it (--lower-security-floor"
                f" {least})"
            )


def _number(payload: "PayloadHeader", number: int) -> SecurityVersion | None:
    try:
        found = security_version(payload)
    except ArtifactError as error:
        raise AgentError(f"payload {number}: {error}") from error
    if found is not None and payload.type is None and found.software == ROOTFS:
        raise AgentError(
            f"payload {number}: has the security version of a root filesystem, and holds none;"
            " only a root filesystem moves that floor"
        )
    return found
