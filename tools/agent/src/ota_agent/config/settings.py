# SPDX-License-Identifier: Apache-2.0
"""All options of the agent, of each part its own."""

import dataclasses
import logging
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ota_agent.admission.keys import VerifyOptions
from ota_agent.api import ApiOptions
from ota_agent.config import mender
from ota_agent.config.section import default_text, read
from ota_agent.control import ControlOptions
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

_DATA, _RUN = DeviceOptions().data, DeviceOptions().run


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The sections of agent.toml."""

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


SECTIONS: dict[str, type[Any]] = {
    each.name: each.type for each in dataclasses.fields(Settings) if isinstance(each.type, type)
}
"""The class of options of each section."""


LOCAL = "agent.toml"
"""A file in `DeviceOptions.data`: what this one device has, whichever slot runs."""


def load_settings(path: Path, *, menders: tuple[Path, ...] = mender.FILES) -> Settings:
    """The options of a file, over those of Mender's files, over the defaults.

    A file that is not there says nothing. A file of the same name in the agent's folder on /data
    says more, and comes last: on a root filesystem that cannot be written it is what a user can
    change. If that one is wrong it is passed over, since it would strand both slots. Folders below
    the agent's own follow it: with another ``device.data``, an artifact's scripts are there, too.

    Raises:
        AgentError: a file cannot be read, or says what cannot be.
    """
    tables = over(mender.tables(menders), tables_of(path), path)
    settings = _settings(tables, path)
    local = settings.device.data / LOCAL
    try:
        if local == path or not local.exists():
            return settings
        found = _settings(over(tables, tables_of(local), local), local)
        return found if found.device.data == settings.device.data else settings
    except (AgentError, OSError) as error:
        logger.error("%s; it is passed over", error)
        return settings


def tables_of(path: Path) -> dict[str, Any]:
    """What a file says; nothing if it is not there.

    Raises:
        AgentError: it cannot be read, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AgentError(f"{path}: is not TOML: {error}") from error


def check(own: dict[str, Any], path: Path) -> None:
    """Refuse what a file may not say.

    Raises:
        AgentError: as for the file itself.
    """
    _settings(over({}, own, path), path)


def over(tables: Tables, own: dict[str, Any], path: Path) -> Tables:
    """The tables with those of a file on top."""
    merged = dict(tables)
    for name, table in own.items():
        if name not in SECTIONS:
            raise AgentError(f"{path}: [{name}]: unknown; known: {', '.join(SECTIONS)}")
        if not isinstance(table, dict):
            raise AgentError(
                f"{path}: {name}: is outside any section; known: {', '.join(SECTIONS)}"
            )
        merged[name] = {**merged.get(name, {}), **table}
    return merged


def _settings(tables: Tables, path: Path) -> Settings:
    sections = {
        name: read(kind, tables.get(name, {}), f"{path}: [{name}]")
        for name, kind in SECTIONS.items()
    }
    device: DeviceOptions = sections["device"]
    return Settings(**{name: _moved(each, device) for name, each in sections.items()})


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
