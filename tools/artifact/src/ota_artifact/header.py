# SPDX-License-Identifier: Apache-2.0
"""What the header says: names, compatibility, state scripts, and each payload's type-info.

Source: mender-artifact, Documentation/artifact-format-v3.md and -v2.md; where its Go library and
Mender's C++ client differ, the stricter one applies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ota_artifact.errors import ArtifactError
from ota_artifact.json_text import format_object, parse_object
from ota_artifact.names import check_payload_type, check_text, shown
from ota_artifact.provides import ROOTFS

Depends = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Script:
    """A state script that travels in the artifact: its name and content."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadHeader:
    """What an artifact says about one payload.

    Attributes:
        type: ``rootfs-image``, an update module's name, or None for the empty payload.
        provides: what the device provides once this payload is installed.
        depends: what the device must provide; a tuple holds alternatives.
        clears: patterns (``*`` matches anything) of provides to drop before the install.
        meta_data: a JSON object as stored, for the update module; ``b""`` if there is none.
    """

    type: str | None
    provides: Mapping[str, str] = field(default_factory=dict)
    depends: Depends = field(default_factory=dict)
    clears: tuple[str, ...] = ()
    meta_data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an artifact says before its first payload byte.

    Attributes:
        version: of the format, 2 or 3.
        artifact_name: the release that a device runs once this is installed.
        compatible_types: device types that may install it; at least one.
        payloads: at least one.
        scripts: state scripts, in stored order.
        artifact_group: the group that the artifact provides, if any.
        depends_names: the device must run one of these releases; empty for any.
        depends_groups: the device must be in one of these groups; empty for any.
    """

    version: int
    artifact_name: str
    compatible_types: tuple[str, ...]
    payloads: tuple[PayloadHeader, ...]
    scripts: tuple[Script, ...] = ()
    artifact_group: str | None = None
    depends_names: tuple[str, ...] = ()
    depends_groups: tuple[str, ...] = ()

    @property
    def provides(self) -> dict[str, str]:
        """All that the device provides after the update: the artifact's, then each payload's.

        Raises:
            ArtifactError: two of them give the same key.
        """
        merged = {"artifact_name": self.artifact_name}
        if self.artifact_group:
            merged["artifact_group"] = self.artifact_group
        for number, payload in enumerate(self.payloads):
            for key, value in payload.provides.items():
                if key in merged:
                    raise ArtifactError(
                        f"headers/{number:04}/type-info: provides {shown(key)},"
                        " which is already provided"
                    )
                merged[key] = value
        return merged


def parse_version(raw: bytes) -> int:
    """The format version that the file ``version`` states.

    Raises:
        ArtifactError: it is not ``{"format":"mender","version":N}``.
    """
    value = parse_object(raw, "version")
    number = value.get("version")
    if value.keys() != {"format", "version"} or value["format"] != "mender":
        raise ArtifactError('version: must be {"format":"mender","version":3}')
    if type(number) is not int:
        raise ArtifactError("version: 'version' must be a whole number")
    return number


def format_version(version: int) -> bytes:
    """The bytes of the file ``version``."""
    return format_object({"format": "mender", "version": version})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderInfo:
    """The file ``header-info``, by the field names of `Header`."""

    types: tuple[str | None, ...]
    artifact_name: str
    compatible_types: tuple[str, ...]
    artifact_group: str | None = None
    depends_names: tuple[str, ...] = ()
    depends_groups: tuple[str, ...] = ()


def parse_header_info(raw: bytes, version: int) -> HeaderInfo:
    """Read ``header-info`` of either version.

    Raises:
        ArtifactError: unknown, missing or wrong fields.
    """
    what = "header-info"
    value = parse_object(raw, what)
    if version == 2:
        _only(value, {"updates", "device_types_compatible", "artifact_name"}, what)
        return HeaderInfo(
            types=_types(value.get("updates"), f"{what}: updates"),
            artifact_name=_name(value.get("artifact_name"), f"{what}: artifact_name"),
            compatible_types=_some_names(
                value.get("device_types_compatible"), f"{what}: device_types_compatible"
            ),
        )
    _only(value, {"payloads", "artifact_provides", "artifact_depends"}, what)
    provides = _object(value.get("artifact_provides"), f"{what}: artifact_provides")
    depends = _object(value.get("artifact_depends"), f"{what}: artifact_depends")
    _only(provides, {"artifact_name", "artifact_group"}, f"{what}: artifact_provides")
    _only(depends, {"artifact_name", "device_type", "artifact_group"}, f"{what}: artifact_depends")
    group = provides.get("artifact_group")
    return HeaderInfo(
        types=_types(value.get("payloads"), f"{what}: payloads"),
        artifact_name=_name(provides.get("artifact_name"), f"{what}: artifact_name"),
        compatible_types=_some_names(depends.get("device_type"), f"{what}: device_type"),
        artifact_group=None
        if group is None or group == ""
        else _name(group, f"{what}: artifact_group"),
        depends_names=_names(
            depends.get("artifact_name"), f"{what}: artifact_depends: artifact_name"
        ),
        depends_groups=_names(
            depends.get("artifact_group"), f"{what}: artifact_depends: artifact_group"
        ),
    )


def format_header_info(header: Header) -> bytes:
    """The bytes of ``header-info``, keys in mender-artifact's order."""
    types = [{"type": payload.type} for payload in header.payloads]
    if header.version == 2:
        return format_object(
            {
                "artifact_name": header.artifact_name,
                "updates": types,
                "device_types_compatible": list(header.compatible_types),
            }
        )
    provides = {"artifact_name": header.artifact_name}
    if header.artifact_group:
        provides["artifact_group"] = header.artifact_group
    depends: dict[str, list[str]] = {}
    if header.depends_names:
        depends["artifact_name"] = list(header.depends_names)
    depends["device_type"] = list(header.compatible_types)
    if header.depends_groups:
        depends["artifact_group"] = list(header.depends_groups)
    return format_object(
        {"payloads": types, "artifact_provides": provides, "artifact_depends": depends}
    )


def parse_type_info(raw: bytes, expected: str | None, what: str) -> PayloadHeader:
    """Read ``type-info`` of the payload that ``header-info`` calls ``expected``.

    Raises:
        ArtifactError: wrong fields, or another type. An empty type means ``rootfs-image``:
            mender-artifact before 4.3.1 wrote that.
    """
    value = parse_object(raw, what)
    stated = value.get("type")
    if "type" not in value or (stated != expected and not (stated == "" and expected == ROOTFS)):
        raise ArtifactError(
            f"{what}: the type is {shown(str(stated))}, header-info says {shown(str(expected))}"
        )
    return PayloadHeader(
        type=expected,
        provides=_provides(value.get("artifact_provides"), f"{what}: artifact_provides"),
        depends=_depends(value.get("artifact_depends"), f"{what}: artifact_depends"),
        clears=_texts(value.get("clears_artifact_provides"), f"{what}: clears_artifact_provides"),
    )


def format_type_info(payload: PayloadHeader, version: int) -> bytes:
    """The bytes of ``type-info``; provides and depends sorted by key, as Go writes them."""
    value: dict[str, Any] = {"type": payload.type}
    if version == 3:
        if payload.depends:
            value["artifact_depends"] = {
                key: wanted if isinstance(wanted, str) else list(wanted)
                for key, wanted in sorted(payload.depends.items())
            }
        if payload.provides:
            value["artifact_provides"] = dict(sorted(payload.provides.items()))
        if payload.clears:
            value["clears_artifact_provides"] = list(payload.clears)
    return format_object(value)


def _only(value: Mapping[str, Any], known: set[str], what: str) -> None:
    for key in value.keys() - known:
        raise ArtifactError(f"{what}: {shown(key)} is unknown; known: {', '.join(sorted(known))}")


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ArtifactError(f"{what}: is missing or not an object")
    return value


def _types(value: object, what: str) -> tuple[str | None, ...]:
    if not isinstance(value, list) or not value:
        raise ArtifactError(f"{what}: must list at least one payload")
    return tuple(_type(each, f"{what}[{number}]") for number, each in enumerate(value))


def _type(value: object, what: str) -> str | None:
    if not isinstance(value, dict) or value.keys() != {"type"}:
        raise ArtifactError(f'{what}: must be {{"type": …}}')
    kind = value["type"]
    if kind is None:
        return None
    if not isinstance(kind, str):
        raise ArtifactError(f"{what}: the type must be a string or null")
    return check_payload_type(kind, what)


def _name(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ArtifactError(f"{what}: is missing or not a string")
    return check_text(value, what)


def _names(value: object, what: str) -> tuple[str, ...]:
    return tuple(check_text(each, what) for each in _texts(value, what))


def _some_names(value: object, what: str) -> tuple[str, ...]:
    names = _names(value, what)
    if not names:
        raise ArtifactError(f"{what}: must name at least one device type")
    return names


def _texts(value: object, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ArtifactError(f"{what}: must be a list of strings")
    return tuple(value)


def _provides(value: object, what: str) -> dict[str, str]:
    items = {} if value is None else _object(value, what)
    for key, each in items.items():
        check_text(key, what)
        if not isinstance(each, str):
            raise ArtifactError(f"{what}: {shown(key)} must be a string")
    return items


def _depends(value: object, what: str) -> dict[str, str | tuple[str, ...]]:
    items = {} if value is None else _object(value, what)
    for key, each in items.items():
        check_text(key, what)
        if each is None:
            raise ArtifactError(f"{what}: {shown(key)} must be a string or a list of strings")
    return {
        key: each if isinstance(each, str) else _texts(each, f"{what}: {shown(key)}")
        for key, each in items.items()
    }
