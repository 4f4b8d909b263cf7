# SPDX-License-Identifier: Apache-2.0
"""All options of the agent, of each part its own."""

import dataclasses
import logging
import os
import tomllib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ota_agent.address import Address
from ota_agent.admission.keys import VerifyOptions
from ota_agent.api import ApiOptions
from ota_agent.config import mender
from ota_agent.config.entry import Entry, PassedOver, short, text_of
from ota_agent.config.on_data import DataOptions, check_names, refusal
from ota_agent.config.section import default_text, read, value_of
from ota_agent.control import ControlOptions
from ota_agent.control.window import parse_window
from ota_agent.device.options import DeviceOptions
from ota_agent.download import DownloadOptions
from ota_agent.errors import AgentError
from ota_agent.payloads import ModuleOptions
from ota_agent.payloads.scripts import ScriptOptions
from ota_agent.server.deployment_log import LogOptions
from ota_agent.server.options import AttributeOptions, KeyOptions, ServerOptions, TlsOptions
from ota_agent.server.polling import PollOptions
from ota_agent.trial.boot_log import BootLogOptions
from ota_agent.trial.health import CommitOptions

logger = logging.getLogger(__name__)

Tables = dict[str, dict[str, Any]]

_UNREADABLE = "(unreadable)"
_DATA, _RUN = DeviceOptions().data, DeviceOptions().run


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The sections of agent.toml.

    Attributes:
        slot_keys: the keys that the slot itself names, whatever a file on /data says.
        passed_over: what files say that cannot be, and was not taken.
    """

    device: DeviceOptions = field(default_factory=DeviceOptions)
    server: ServerOptions = field(default_factory=ServerOptions)
    tls: TlsOptions = field(default_factory=TlsOptions)
    polling: PollOptions = field(default_factory=PollOptions)
    download: DownloadOptions = field(default_factory=DownloadOptions)
    key: KeyOptions = field(default_factory=KeyOptions)
    keys: VerifyOptions = field(default_factory=VerifyOptions)
    attributes: AttributeOptions = field(default_factory=AttributeOptions)
    log: LogOptions = field(default_factory=LogOptions)
    commit: CommitOptions = field(default_factory=CommitOptions)
    boot_log: BootLogOptions = field(default_factory=BootLogOptions)
    control: ControlOptions = field(default_factory=ControlOptions)
    api: ApiOptions = field(default_factory=ApiOptions)
    scripts: ScriptOptions = field(default_factory=ScriptOptions)
    modules: ModuleOptions = field(default_factory=ModuleOptions)
    slot_keys: tuple[str, ...] = field(default=(), compare=False)
    data: DataOptions = field(default_factory=DataOptions)
    passed_over: tuple[PassedOver, ...] = field(default=(), compare=False)

    @property
    def has_own_key(self) -> bool:
        """Whether the device's key is in the agent's own place, and nobody has named another."""
        return self.key.path == self.device.data / KeyOptions().path.name

    @property
    def doubt(self) -> str:
        """Why it is not known whether artifacts must be signed; empty if it is."""
        if self.keys.keys:
            return ""
        return "; ".join(str(each) for each in self.passed_over if each.hides_keys)


SECTIONS: dict[str, type[Any]] = {
    each.name: each.type for each in dataclasses.fields(Settings) if isinstance(each.type, type)
}
"""The class of options of each section."""


LOCAL = "agent.toml"
"""A file in `DeviceOptions.data`: what this one device has, whichever slot runs."""


def load_settings(
    path: Path,
    *,
    menders: tuple[Path, ...] = mender.FILES,
    on_data: Container[Path] = mender.ON_DATA,
    is_needed: bool = False,
) -> Settings:
    """The options of a file, over those of Mender's files, over the defaults.

    A file of the same name in the agent's folder on /data says more, and comes last: on a root
    filesystem that cannot be written it is what a user can change. Folders below the agent's own
    follow it: with another ``device.data``, an artifact's scripts are there, too.

    What is wrong in the file itself is an error: it belongs to one slot, and a trial of that slot
    rolls back. All other files may be on /data, where an error would strand both slots: of them,
    each wrong value is passed over by itself. What is on /data changes only what `DataOptions`
    allows; the rest is passed over, too.

    Args:
        on_data: those of Mender's files that are on /data.
        is_needed: the file must be there; otherwise one that is not says nothing.

    Raises:
        AgentError: the file is missing, cannot be read, or says what cannot be.
    """
    if is_needed and not path.exists():
        raise AgentError(f"{path}: is not there; give the path of a configuration (--config)")
    slot = slot_settings(path, menders=[each for each in menders if each not in on_data])
    reading = _Reading()
    for each in menders:
        found = mender.read(each)
        reading.take(found, within=slot if each in on_data else None)
    reading.require(path)
    local = slot.device.data / LOCAL
    if local != path:
        reading.take(_local(local, slot.device.data), within=slot)
    settings = dataclasses.replace(reading.settings(), slot_keys=slot.keys.keys)
    for wrong in settings.passed_over:
        logger.error("%s; it is passed over", wrong)
    return settings


def slot_settings(path: Path, *, menders: Iterable[Path] = ()) -> Settings:
    """What a slot's own files say, without those on /data.

    Raises:
        AgentError: as `load_settings`.
    """
    reading = _Reading()
    for each in menders:
        reading.take(mender.read(each))
    reading.require(path)
    return reading.settings()


def refused_on_data(tables: Tables, slot: Settings) -> Iterator[PassedOver]:
    """What of these tables would be passed over in the file on /data.

    Args:
        slot: the settings that the slot has.
    """
    for section, table in tables.items():
        for name, value in table.items():
            if why := refusal(section, name, value, slot):
                yield PassedOver(place=f"[{short(section)}] {short(name)}", finding=why)


class _Reading:
    """Puts what the files say together, the later ones over the earlier ones."""

    def __init__(self) -> None:
        self._values: Tables = {name: {} for name in SECTIONS}
        self._passed_over: list[PassedOver] = []

    def require(self, path: Path) -> None:
        """Take a file whose errors stop.

        Raises:
            AgentError: there is one.
        """
        for name, table in _tables(tables_of(path), path).items():
            for key, value in table.items():
                place = f"{path}: [{name}] {short(key)}"
                self._values[name][key] = value_of(SECTIONS[name], key, value, place)
        try:
            check_names(self._values["data"].get("may", ()), SECTIONS)
        except AgentError as error:
            raise AgentError(f"{path}: [data] may: {error}") from error
        try:
            _check_patterns(self._values["log"].get("redact", ()))
        except AgentError as error:
            raise AgentError(f"{path}: [log] redact: {error}") from error

    def take(self, found: Iterable[Entry | PassedOver], *, within: Settings | None = None) -> None:
        """Take what can be taken, and note the rest.

        Args:
            within: for a file on /data, the settings of the slot, which say what it may change.
        """
        for each in found:
            if isinstance(each, PassedOver):
                self._passed_over.append(each)
                continue
            try:
                kind = SECTIONS[each.section]
                value = value_of(kind, each.name, each.value, each.place)
                _check(each, value)
                if within is not None and (why := refusal(each.section, each.name, value, within)):
                    self._passed_over.append(PassedOver(place=each.place, finding=why))
                    continue
            except AgentError as error:
                finding = str(error).removeprefix(f"{each.place}: ")
                self._passed_over.append(
                    PassedOver(place=each.place, finding=finding, hides_keys=each.section == "keys")
                )
                values = self._values[each.section]
                closed = _CLOSED.get((each.section, each.name))
                if closed is not None and not values.get(each.name):
                    values[each.name] = closed
            else:
                self._put(each, value)

    def _put(self, entry: Entry, value: Any) -> None:
        """Take a value; of the server's addresses, those that are ones."""
        if (entry.section, entry.name) == ("server", "urls"):
            wrong = [each for each in map(Address, value) if not each.is_web]
            for each in wrong:
                finding = f"'{each}' is not an address; write it as https://…"
                self._passed_over.append(PassedOver(place=entry.place, finding=finding))
            value = tuple(each for each in value if Address(each).is_web)
            if wrong and not value:
                return
        self._values[entry.section][entry.name] = value

    def settings(self) -> Settings:
        """All of it."""
        sections = {name: kind(**self._values[name]) for name, kind in SECTIONS.items()}
        device: DeviceOptions = sections["device"]
        moved = {name: _moved(each, device) for name, each in sections.items()}
        return Settings(**moved, passed_over=tuple(self._passed_over))


_CLOSED: dict[tuple[str, str], object] = {
    ("keys", "forbid_downgrade"): True,
    ("tls", "pins"): (_UNREADABLE,),
    ("tls", "ca_bundle"): _UNREADABLE,
}
"""What holds in place of a value that cannot be read, where the default would trust more. With one
of TLS, no server is believed."""


def _check(entry: Entry, value: Any) -> None:
    """Refuse a value of the right type that would have the agent not start, or stop.

    Raises:
        AgentError: it is one.
    """
    match entry.section, entry.name:
        case "control", "window":
            parse_window(value)
        case "log", "redact":
            _check_patterns(value)
        case "device", "reboot":
            if not value:
                raise AgentError("must have a command")


def _check_patterns(patterns: tuple[str, ...]) -> None:
    """Refuse patterns that cannot be used.

    Raises:
        AgentError: there is one.
    """
    if patterns:
        from ota_agent.server.redaction import check_pattern

        for each in patterns:
            check_pattern(each)


def _local(path: Path, data: Path) -> Iterator[Entry | PassedOver]:
    """What the file on /data says.

    Args:
        data: the folder that it is in, which it cannot move.
    """
    try:
        try:
            if not path.exists():
                return
        except PermissionError:
            if os.geteuid():
                return  # it is for root; a member of the group only asks the agent
            raise
        if not text_of(path).strip():
            raise AgentError(f"{path}: is empty, as after a power cut")
        found = tables_of(path)
    except (AgentError, OSError, UnicodeDecodeError) as error:
        finding = str(error).removeprefix(f"{path}: ")
        yield PassedOver(place=str(path), finding=finding, hides_keys=True)
        return
    for name, table in found.items():
        try:
            checked = _tables({name: table}, path)[name]
        except AgentError as error:
            finding = str(error).removeprefix(f"{path}: ")
            yield PassedOver(place=str(path), finding=finding, hides_keys=True)
            continue
        for key, value in checked.items():
            place = f"{path}: [{name}] {short(key)}"
            if (name, key) == ("device", "data") and value == str(data):
                continue
            yield Entry(section=name, name=key, value=value, place=place)


def tables_of(path: Path) -> dict[str, Any]:
    """What a file says; nothing if it is not there.

    Raises:
        AgentError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(text_of(path))
    except FileNotFoundError:
        return {}
    except (RecursionError, ValueError) as error:
        raise AgentError(f"{path}: is not TOML: {short(str(error), 200)}") from error


def check(own: dict[str, Any], path: Path) -> None:
    """Refuse what a file may not say.

    Raises:
        AgentError: as for the file itself.
    """
    for name, table in _tables(own, path).items():
        read(SECTIONS[name], table, f"{path}: [{name}]")


def over(tables: Tables, own: dict[str, Any], path: Path) -> Tables:
    """The tables with those of a file on top.

    Raises:
        AgentError: it has something else than our sections.
    """
    merged = dict(tables)
    for name, table in _tables(own, path).items():
        merged[name] = {**merged.get(name, {}), **table}
    return merged


def _tables(found: dict[str, Any], path: Path) -> Tables:
    """The sections of a file.

    Raises:
        AgentError: it has something else.
    """
    for name, table in found.items():
        if name not in SECTIONS:
            raise AgentError(f"{path}: [{short(name)}]: unknown; known: {', '.join(SECTIONS)}")
        if not isinstance(table, dict):
            raise AgentError(
                f"{path}: {short(name)}: is outside any section; known: {', '.join(SECTIONS)}"
            )
    return found


def default_file() -> str:
    """An agent.toml with every key, as a comment, and what it means."""
    head = (
        "# The agent's configuration. Every key is here with its default, as a comment; sizes are\n"
        "# bytes, times are seconds. Mender's mender.conf is read, too; this file overrides it.\n"
        "# /data/ota/agent.toml, if it is there, overrides both, for this device in both slots.\n"
    )
    return "\n".join([head, *(default_text(name, kind) for name, kind in SECTIONS.items())])


def _moved(options: Any, device: DeviceOptions) -> Any:
    """The options with the default folders below the agent's where that is now."""
    if isinstance(options, DeviceOptions):
        return options
    changes: dict[str, Path] = {}
    for each in dataclasses.fields(options):
        value = getattr(options, each.name)
        if isinstance(value, Path) and value == each.default:
            for old, new in ((_DATA, device.data), (_RUN, device.run)):
                if value.is_relative_to(old):
                    changes[each.name] = new / value.relative_to(old)
    return dataclasses.replace(options, **changes)
