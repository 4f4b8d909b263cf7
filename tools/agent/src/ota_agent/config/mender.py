# SPDX-License-Identifier: Apache-2.0
"""Mender's configuration files, as tables of ours. Source: mender-docs, Configuration file."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ota_agent.errors import AgentError
from ota_artifact.device_files import MENDER_CONF

logger = logging.getLogger(__name__)

FILES = (Path("/var/lib/mender/mender.conf"), Path(MENDER_CONF))
"""Read in this order; a later one wins."""

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


def tables(paths: tuple[Path, ...] = FILES) -> dict[str, dict[str, Any]]:
    """What Mender's files say, by our sections; what we have no use for is left out.

    Raises:
        AgentError: a file is there and is not a JSON object, or names two of what can be one.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            found = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise AgentError(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise AgentError(f"{path}: is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise AgentError(f"{path}: must be a JSON object")
        merged |= {name.lower(): value for name, value in found.items()}
    return _sections(merged)


def _sections(found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}

    def put(section: str, name: str, value: object) -> None:
        sections.setdefault(section, {})[name] = value

    for theirs, (section, name) in _KEYS.items():
        value = found.get(theirs.lower())
        if value not in (None, "", 0):  # as in Mender's client, 0 is the default
            put(section, name, value)
    for _, section, name, take in _OTHERS:
        value = take(found)
        if value:
            put(section, name, value)
    return sections


def _servers(found: Mapping[str, Any]) -> list[str]:
    one, many = _one_or_many(found, "ServerURL", "Servers")
    return [str(each).rstrip("/") for each in ([one] if one else map(_url, many))]


def _keys(found: Mapping[str, Any]) -> list[str]:
    one, many = _one_or_many(found, "ArtifactVerifyKey", "ArtifactVerifyKeys")
    return [one] if one else many


def _one_or_many(found: Mapping[str, Any], one: str, many: str) -> tuple[Any, list[Any]]:
    single, several = found.get(one.lower()), found.get(many.lower()) or []
    if single and several:
        raise AgentError(f"mender.conf: has both {one} and {many}; keep one of them")
    return single, list(several)


def _url(server: object) -> str:
    """Of one in the list; its key may be written in any case."""
    if isinstance(server, dict):
        for name, value in server.items():
            if name.lower() == "serverurl" and isinstance(value, str):
                return value
    raise AgentError('mender.conf: Servers: each must be an object with "ServerURL"')


def _inner(section: str, name: str) -> Callable[[Mapping[str, Any]], str]:
    """Takes a value out of an object, whose keys may be written in any case."""

    def take(found: Mapping[str, Any]) -> str:
        inner = {key.lower(): value for key, value in (found.get(section) or {}).items()}
        return str(inner.get(name) or "")

    return take


def _device_type(found: Mapping[str, Any]) -> str:
    path = found.get("devicetypefile")
    try:
        text = Path(path).read_text("utf-8") if path else ""
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}; DeviceTypeFile of mender.conf") from error
    return text.strip().removeprefix("device_type=")


_OTHERS: tuple[tuple[str, str, str, Callable[[Mapping[str, Any]], object]], ...] = (
    ("ServerURL, Servers", "server", "urls", _servers),
    ("ArtifactVerifyKey, ArtifactVerifyKeys", "keys", "keys", _keys),
    ("HttpsClient.Certificate", "tls", "client_certificate", _inner("httpsclient", "certificate")),
    ("HttpsClient.Key", "tls", "client_key", _inner("httpsclient", "key")),
    ("Security.AuthPrivateKey", "key", "path", _inner("security", "authprivatekey")),
    ("DeviceTypeFile", "device", "device_type", _device_type),
)
"""What takes more than a new name."""


def translations() -> list[tuple[str, str, str]]:
    """Their keys that are read, and the section and key of ours that each sets."""
    same = [(theirs, section, name) for theirs, (section, name) in _KEYS.items()]
    return sorted([*same, *((theirs, section, name) for theirs, section, name, _ in _OTHERS)])
