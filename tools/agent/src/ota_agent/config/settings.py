# SPDX-License-Identifier: Apache-2.0
"""All options of the agent, of each part its own."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ota_agent.api import ApiOptions
from ota_agent.boot_log import BootLogOptions
from ota_agent.config import mender
from ota_agent.config.device import DeviceOptions
from ota_agent.config.section import default_text, read
from ota_agent.control.options import ControlOptions
from ota_agent.deployment_log import LogOptions
from ota_agent.errors import AgentError
from ota_agent.health import GateOptions
from ota_agent.keys import VerifyOptions
from ota_agent.payloads.options import ModuleOptions
from ota_agent.scripts import ScriptOptions
from ota_agent.server.options import AttributeOptions, KeyOptions, ServerOptions, TlsOptions
from ota_agent.server.polling import PollOptions
from ota_agent.source.options import DownloadOptions

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
    commit: GateOptions = field(default_factory=GateOptions)
    boot_log: BootLogOptions = field(default_factory=BootLogOptions)
    control: ControlOptions = field(default_factory=ControlOptions)
    api: ApiOptions = field(default_factory=ApiOptions)
    scripts: ScriptOptions = field(default_factory=ScriptOptions)
    modules: ModuleOptions = field(default_factory=ModuleOptions)


SECTIONS: dict[str, type[Any]] = {
    each.name: each.type for each in dataclasses.fields(Settings) if isinstance(each.type, type)
}
"""The class of options of each section."""


def load_settings(path: Path, *, menders: tuple[Path, ...] = mender.FILES) -> Settings:
    """The options of a file, over those of Mender's files, over the defaults.

    A file that is not there says nothing. Folders below the agent's own follow it: with another
    ``device.data``, the scripts of artifacts are there, too.

    Raises:
        AgentError: a file cannot be read, or says what cannot be.
    """
    tables = mender.tables(menders)
    try:
        with path.open("rb") as file:
            own = tomllib.load(file)
    except FileNotFoundError:
        own = {}
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AgentError(f"{path}: is not TOML: {error}") from error
    for name, table in own.items():
        if name not in SECTIONS:
            raise AgentError(f"{path}: [{name}]: unknown; known: {', '.join(SECTIONS)}")
        if not isinstance(table, dict):
            raise AgentError(f"{path}: {name}: stands in no section; known: {', '.join(SECTIONS)}")
        tables[name] = {**tables.get(name, {}), **table}
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
        "# bytes, times are seconds. Mender's mender.conf is read, too; what is said here counts.\n"
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
