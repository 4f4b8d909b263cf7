# SPDX-License-Identifier: Apache-2.0
"""Whether an artifact is for this device, by what it depends on; before its first payload byte."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ota_agent.errors import AgentError
from ota_artifact.provides import GROUP, NAME

if TYPE_CHECKING:
    from ota_artifact.header import Header

DEVICE_TYPE = "device_type"


def check_acceptance(header: "Header", device_type: str, provides: Mapping[str, str]) -> None:
    """Pass if the artifact may be installed here.

    Args:
        provides: what the device provides, ``artifact_name`` and ``artifact_group`` among it.

    Raises:
        AgentError: it is for other devices, or depends on what this one does not provide.

    Source: Mender's client: a key that the device does not provide is never met.
    """
    if device_type not in header.compatible_types:
        types = ", ".join(header.compatible_types)
        raise AgentError(
            f"artifact {header.artifact_name}: is for {types}, and this device is {device_type!r}"
        )
    _require(header, NAME, header.depends_names, provides)
    _require(header, GROUP, header.depends_groups, provides)
    for payload in header.payloads:
        for key, wanted in payload.depends.items():
            alternatives = (wanted,) if isinstance(wanted, str) else wanted
            known = {**provides, DEVICE_TYPE: device_type}
            _require(header, key, alternatives, known)


def _require(
    header: "Header", key: str, wanted: tuple[str, ...], provides: Mapping[str, str]
) -> None:
    found = provides.get(key)
    if wanted and found not in wanted:
        has = "nothing of that name" if found is None else repr(found)
        raise AgentError(
            f"artifact {header.artifact_name}: depends on {key} {' or '.join(map(repr, wanted))},"
            f" and this device provides {has}; install what it depends on first"
        )
