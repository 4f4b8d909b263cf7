# SPDX-License-Identifier: Apache-2.0
"""Mender's configuration files, as values of ours. Source: mender-docs, Configuration file.

As in Mender's client, a file that is damaged and a value of the wrong type stop nothing: they are
passed over. One of the files is on /data, where it would strand both slots.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ota_agent.config.entry import Entry, PassedOver, text_of
from ota_agent.device.device_type import type_in
from ota_agent.errors import AgentError
from ota_artifact.device_files import MENDER_CONF
from ota_artifact.json_text import parse_any

logger = logging.getLogger(__name__)

FILES = (Path("/var/lib/mender/mender.conf"), Path(MENDER_CONF))
"""Read in this order; a later one wins."""

ON_DATA, OF_THE_SLOT = FILES[:1], FILES[1:]
"""The one that is on /data where Mender's client was, and the one of a slot."""

_KEYS: dict[str, tuple[str, str]] = {
    "TenantToken": ("server", "tenant_token"),
    "UpdatePollIntervalSeconds": ("polling", "update"),
    "InventoryPollIntervalSeconds": ("polling", "inventory"),
    "RetryPollIntervalSeconds": ("polling", "retry"),
    "RetryPollCount": ("polling", "retry_count"),
    "StateScriptTimeoutSeconds": ("scripts", "timeout"),
    "StateScriptRetryTimeoutSeconds": ("scripts", "retry_timeout"),
    "StateScriptRetryIntervalSeconds": ("scripts", "retry_interval"),
    "ModuleTimeoutSeconds": ("modules", "timeout"),
    "ServerCertificate": ("tls", "server_certificate"),
    "SkipVerify": ("tls", "skip_verify"),
    "RootfsPartA": ("device", "slot_a"),
    "RootfsPartB": ("device", "slot_b"),
    "UpdateControlMapExpirationTimeSeconds": ("control", "expiry"),
    "UpdateControlMapBootExpirationTimeSeconds": ("control", "boot_expiry"),
}
"""Where a key of theirs goes whose value is the same."""

_Kind = TypeVar("_Kind")


class _File:
    """What a file says, its keys in any case; notes what is wrong with it.

    Attributes:
        passed_over: so far.
    """

    def __init__(self, path: Path, found: Mapping[str, Any]) -> None:
        self._path = path
        self._found = {name.lower(): value for name, value in found.items()}
        self.passed_over: list[PassedOver] = []

    def place(self, key: str) -> str:
        """Where a key is, for messages."""
        return f"{self._path}: {key}"

    def get(self, key: str) -> Any:
        """A value, or None; as in Mender's client, an empty text and 0 are the default."""
        value = self._found.get(key.lower())
        return None if value in (None, "", 0) and value is not False else value

    def get_as(self, key: str, kind: type[_Kind], need: str) -> _Kind | None:
        """A value of a type, or None."""
        value = self.get(key)
        if value is None or isinstance(value, kind):
            return value
        self.refuse(key, f"must be {need}")
        return None

    def refuse(self, key: str, finding: str) -> None:
        """Note that a key is passed over."""
        hides_keys = key.startswith("ArtifactVerifyKey")
        note = PassedOver(place=self.place(key), finding=finding, hides_keys=hides_keys)
        if note not in self.passed_over:
            self.passed_over.append(note)


def read(path: Path) -> Iterator[Entry | PassedOver]:
    """What a file says that is of use to us, and what of that cannot be.

    A file that is not there says nothing.
    """
    try:
        found = parse_any(text_of(path))
    except FileNotFoundError:
        return
    except AgentError as error:
        finding = str(error).removeprefix(f"{path}: ")
        yield PassedOver(place=str(path), finding=finding, hides_keys=True)
        return
    except ValueError as error:
        yield PassedOver(place=str(path), finding=f"is not JSON: {error}", hides_keys=True)
        return
    if not isinstance(found, dict):
        yield PassedOver(place=str(path), finding="must be a JSON object", hides_keys=True)
        return
    file = _File(path, found)
    for theirs, (section, name) in _KEYS.items():
        value = file.get(theirs)
        if value is not None:
            yield Entry(section=section, name=name, value=value, place=file.place(theirs))
    for theirs, section, name, take in _OTHERS:
        value = take(file)
        if value:
            yield Entry(section=section, name=name, value=value, place=file.place(theirs))
    yield from file.passed_over


def _servers(file: _File) -> list[str]:
    one = file.get_as("ServerURL", str, "a string")
    found: list[str] = []
    for each in file.get_as("Servers", list, 'a list of objects with "ServerURL"') or []:
        url = _url(each)
        if url:
            found.append(url)
        else:
            file.refuse("Servers", 'each must be an object with "ServerURL"')
    if one and found:
        file.refuse("ServerURL", "Servers is there, too, and counts")
    return [each.rstrip("/") for each in found or ([one] if one else [])]


def _url(server: object) -> str:
    """Of one in the list; its key may be written in any case."""
    if isinstance(server, dict):
        for name, value in server.items():
            if name.lower() == "serverurl" and isinstance(value, str):
                return value
    return ""


def _keys(file: _File) -> list[str]:
    """The paths of all keys; a text in place of the list, and the reverse, is understood."""
    found: list[str] = []
    for name in ("ArtifactVerifyKey", "ArtifactVerifyKeys"):
        value = file.get(name)
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            if isinstance(each, str) and each:
                found.append(each)
            else:
                file.refuse(name, "must be a path, or a list of paths")
    return found


def _inner(section: str, name: str) -> Callable[[_File], str]:
    """Takes a value out of an object, whose keys may be written in any case."""

    def take(file: _File) -> str:
        found = file.get_as(section, dict, "an object") or {}
        values = {key.lower(): value for key, value in found.items()}
        value = values.get(name.lower())
        if value is not None and not isinstance(value, str):
            file.refuse(f"{section}.{name}", "must be a string")
            return ""
        return value or ""

    return take


def _device_type(file: _File) -> str:
    path = file.get_as("DeviceTypeFile", str, "a path")
    if not path:
        return ""
    try:
        return type_in(Path(path), is_bare=True)
    except AgentError as error:
        file.refuse("DeviceTypeFile", str(error))
        return ""


_OTHERS: tuple[tuple[str, str, str, Callable[[_File], object]], ...] = (
    ("ServerURL, Servers", "server", "urls", _servers),
    ("ArtifactVerifyKey, ArtifactVerifyKeys", "keys", "keys", _keys),
    ("HttpsClient.Certificate", "tls", "client_certificate", _inner("HttpsClient", "Certificate")),
    ("HttpsClient.Key", "tls", "client_key", _inner("HttpsClient", "Key")),
    ("Security.AuthPrivateKey", "key", "path", _inner("Security", "AuthPrivateKey")),
    ("DeviceTypeFile", "device", "device_type", _device_type),
)
"""What takes more than a new name."""


def translations() -> list[tuple[str, str, str]]:
    """Their keys that are read, and the section and key of ours that each sets."""
    same = [(theirs, section, name) for theirs, (section, name) in _KEYS.items()]
    return sorted([*same, *((theirs, section, name) for theirs, section, name, _ in _OTHERS)])
