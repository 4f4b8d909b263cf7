# SPDX-License-Identifier: Apache-2.0
"""Hazards of what the agent calls: programs, update modules, health checks, scripts, packages."""

import os
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from ota_agent.doctor.case import Case
from ota_agent.errors import AgentError
from ota_agent.server.attributes import identity
from ota_agent.server.identity import ACCEPTED, accepted
from ota_artifact.finding import Finding, fault, warning

_SERVICE = Path("share/dbus-1/system-services/io.otakit.Agent1.service")
_POLICY = Path("share/dbus-1/system.d/io.otakit.Agent1.conf")
_BUS = Path("run/dbus/system_bus_socket")
_PREFIXES = (Path("/usr"), Path("/usr/local"))
_VERSION = "version"  # of the rules that state scripts are written for, and not a script


def probe(case: Case) -> Iterator[Finding]:
    """What is missing, or cannot be run."""
    settings = case.settings
    reboot = settings.device.reboot[0] if settings.device.reboot else ""
    if which(reboot) is None:
        yield fault(
            "program-missing",
            f"[device] reboot: {reboot}",
            "it is not there: no update of a root filesystem is ever tried",
            "install it, or name the command that reboots this device",
        )
    yield from _checks(settings.commit.folder)
    for folder in settings.modules.folders:
        yield from _not_executable(
            folder, "module-not-executable", "an update module: artifacts of its type are refused"
        )
    for folder in settings.scripts.folders:
        yield from _not_executable(
            folder, "script-not-executable", "a state script: it is skipped", but=(_VERSION,)
        )
    if settings.server.urls:
        yield from _identity(settings.attributes.identity)
        yield from known(settings.attributes.identity, settings.device.data / ACCEPTED)
    if settings.keys.keys or settings.server.urls:
        yield from _package(
            "cryptography",
            "signatures cannot be checked, and the device cannot authenticate to a server",
            is_needed=True,
        )
    is_needed = bool(settings.server.urls)
    cause = "neither a server nor the address of an artifact can be reached"
    yield from _package("urllib3", cause, is_needed=is_needed)
    yield from _package("zstandard", "artifacts that are compressed with zstd are refused")
    if (case.system.root / _BUS).exists():
        yield from bus(_PREFIXES, has_package=find_spec("dbus_fast") is not None)


def bus(prefixes: Iterable[Path], *, has_package: bool) -> Iterator[Finding]:
    """What the bridge to D-Bus lacks where it is installed; a device does well without it."""
    for prefix in prefixes:
        if not (prefix / _SERVICE).exists():
            continue
        if not (prefix / _POLICY).exists():
            yield warning(
                "d-bus-without-policy",
                prefix / _POLICY,
                "it is not there: the bus does not let the bridge have its names",
                "install it with the agent",
            )
        if not has_package:
            yield warning(
                "python-package-missing",
                "dbus-fast",
                "the bus would start the bridge, which cannot run",
                "install it (python3-dbus-fast), or remove the agent's files of D-Bus",
            )


def _checks(folder: Path) -> Iterator[Finding]:
    found = list(_files(folder))
    if not found:
        yield warning(
            "no-health-checks",
            folder,
            "a new system is committed once the agent runs and reaches the server, if there is one:"
            " nobody asks whether the device does its work",
            "put executables there that end with 0 if it does",
        )
    for path in found:
        if not os.access(path, os.X_OK):
            yield fault(
                "check-not-executable",
                path,
                "it cannot be run as a health check: a new system is committed without it",
                f"chmod +x {path}; or remove it",
            )


def _not_executable(
    folder: Path, hazard: str, what: str, *, but: tuple[str, ...] = ()
) -> Iterator[Finding]:
    for path in _files(folder):
        if path.name not in but and not os.access(path, os.X_OK):
            yield warning(
                hazard,
                path,
                f"it is not executable, so it is not used as {what}",
                f"chmod +x {path}; or remove it",
            )


def _identity(folders: tuple[Path, ...]) -> Iterator[Finding]:
    if not any(os.access(path, os.X_OK) for folder in folders for path in _files(folder)):
        yield fault(
            "identity-missing",
            " or ".join(map(str, folders)),
            "no program prints the device's identity: the agent does not contact the server",
            "put one there that prints such as mac=00:11:22:33:44:55",
        )


def known(folders: tuple[Path, ...], path: Path) -> Iterator[Finding]:
    """Whether the device is still the one that a server has accepted.

    Args:
        path: where that one is kept.
    """
    before = accepted(path)
    if not before:
        return
    try:
        now = identity(folders)
    except AgentError as error:
        remedy = "correct the program; until then the agent stays as it was accepted"
        yield fault("identity-unknown", before, error, remedy)
        return
    if now != before:
        yield fault(
            "identity-differs",
            now,
            f"a server has accepted this device as {before}: to the server it is another one now",
            "see which program in the folders of [attributes] identity says so, and whether a"
            " network card was replaced; or accept the device there, and it is the new one",
        )


def _package(name: str, cause: str, *, is_needed: bool = False) -> Iterator[Finding]:
    if find_spec(name) is None:
        of_severity = fault if is_needed else warning
        yield of_severity("python-package-missing", name, cause, f"install it (python3-{name})")


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return
