# SPDX-License-Identifier: Apache-2.0
"""What files on /data may change. They are not part of what was signed, and root obeys them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ota_agent.admission.keys import parse_key
from ota_agent.errors import AgentError

if TYPE_CHECKING:
    from ota_agent.config.settings import Settings

USUAL = (
    *("server.*", "polling.*", "download.*", "control.*"),
    *("device.device_type", "tls.client_certificate", "tls.client_key", "key.algorithm"),
    *("commit.policy", "commit.timeout", "commit.patience", "commit.server_patience"),
    *("commit.grace", "commit.power_cuts", "log.kept"),
    *("boot_log.record", "boot_log.keep", "boot_log.size"),
    *("scripts.timeout", "scripts.retry_interval", "scripts.retry_timeout"),
    *("modules.timeout", "modules.keep_free"),
)
"""What ``usual`` stands for: which server, how often, how patient, and when; and who this is."""

OF_THE_SLOT = (
    *("device.boot_id", "device.data", "device.run", "device.running"),
    "data.may",
)
"""What no list allows: an agent needs these to start, and to know whom it obeys."""

_ANY = "*"


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What files on /data may change: agent.toml there, and Mender's in /var/lib/mender.

    Attributes:
        may: settings such as ``"tls.allow_plain_http"`` or ``"tls.*"``; ``"usual"`` stands for the
            server, the intervals, the window, and the like. What is not named may only be made
            stricter: more must be signed, fewer are trusted, less is sent.
    """

    may: tuple[str, ...] = ("usual",)


def check_names(names: tuple[str, ...], sections: Mapping[str, type[Any]]) -> None:
    """Refuse what is not a setting, such as a misspelt one.

    Raises:
        AgentError: there is one.
    """
    for each in names:
        section, _, key = each.partition(".")
        kind = sections.get(section)
        known = () if kind is None else (*kind.__dataclass_fields__, _ANY)
        if each != "usual" and key not in known:
            raise AgentError(f"{each!r} is not a setting; write it as in tls.server_certificate")


def refusal(section: str, name: str, value: Any, slot: "Settings") -> str:
    """Why a value may not be set on /data; empty if it may.

    Args:
        slot: the settings that the slot has.
    """
    setting = f"{section}.{name}"
    if setting in OF_THE_SLOT:
        return "can only be set in the agent.toml of a slot"
    listed = {*slot.data.may} | ({*USUAL} if "usual" in slot.data.may else set())
    if setting in listed or f"{section}.{_ANY}" in listed:
        return ""
    is_stricter = _STRICTER.get(setting)
    if is_stricter is None:
        return f"is not for a file on /data; to allow it, add {setting!r} to [data] may in the slot"
    if is_stricter(slot, value):
        return ""
    return (
        f"would be less strict than the slot is; to allow it, add {setting!r} to [data] may in the"
        " slot"
    )


def _only(strict: bool) -> Callable[["Settings", Any], bool]:
    """A switch that may be set one way."""
    return lambda slot, value: value is strict


def _fewer_keys(slot: "Settings", value: tuple[str, ...]) -> bool:
    """Whether artifacts that are trusted by these keys are all trusted by the slot."""
    if not slot.keys.keys:
        return bool(value)  # until now, everybody was trusted
    try:
        trusted = {each.path: each.expires for each in map(parse_key, slot.keys.keys)}
        wanted = [*map(parse_key, value)]
    except AgentError:
        return False
    return bool(wanted) and all(
        each.path in trusted and (each.expires or date.max) <= (trusted[each.path] or date.max)
        for each in wanted
    )


def _fewer_pins(slot: "Settings", value: tuple[str, ...]) -> bool:
    if slot.tls.pins:
        return bool(value) and {*value} <= {*slot.tls.pins}
    return bool(value and (slot.tls.ca_bundle or slot.tls.server_certificate))


def _is_unknown_slot(slot: "Settings", value: Any) -> bool:
    """A device that was Mender's has its slots in a file on /data, and no layout."""
    return not slot.device.layout.exists()


def _is_below_data(slot: "Settings", value: Any) -> bool:
    return ".." not in value.parts and value.is_relative_to(slot.device.data.parent)


def _more(of: Callable[["Settings"], tuple[str, ...]]) -> Callable[["Settings", Any], bool]:
    """A list that may get longer."""
    return lambda slot, value: {*of(slot)} <= {*value}


_STRICTER: Mapping[str, Callable[["Settings", Any], bool]] = {
    "keys.keys": _fewer_keys,
    "keys.forbid_downgrade": _only(True),
    "keys.debug": _only(False),
    "tls.skip_verify": _only(False),
    "tls.allow_plain_http": _only(False),
    "tls.set_clock": _only(True),
    "tls.pins": _fewer_pins,
    "log.send_journal": _only(False),
    "log.redact": _more(lambda slot: slot.log.redact),
    "device.slot_a": _is_unknown_slot,
    "device.slot_b": _is_unknown_slot,
    "key.path": _is_below_data,
}
"""What may be made stricter, and whether a value does so."""
