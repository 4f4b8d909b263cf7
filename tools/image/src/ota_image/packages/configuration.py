# SPDX-License-Identifier: Apache-2.0
"""The configuration of our own apt: the settings of the machine for downloads, and no others."""

import os
import re
from pathlib import Path
from urllib.parse import quote

from ota_artifact.run import run

_HOST_SETTINGS = re.compile(
    r"^(Acquire::(?!IndexTargets|Languages|GzipIndexes|Changelogs).*)$", re.IGNORECASE
)
"""apt takes the names of settings in any case, and prints the one that was written."""

_UNSIGNED = re.compile(
    r"^Acquire::(?:Allow(?:Insecure|Weak|DowngradeToInsecure)Repositories|gpgv)\b", re.IGNORECASE
)
_LIMITS = re.compile(r"^Acquire::(?:Min-ValidTime|Max-FutureTime)\b", re.IGNORECASE)
_DATES = re.compile(r"^Acquire::Check-(?:Valid-Until|Date)\b", re.IGNORECASE)
_OFF = re.compile(r"^Acquire::Check-(?:Valid-Until|Date)\b", re.IGNORECASE)
_OFF = re.compile(r' "(?:false|no|off|without|disable|0|)";$', re.IGNORECASE)
"""Source: apt.conf(5); apt-pkg/contrib/strutl.cc, StringToBool."""


def host_settings(*, trusts_unsigned: bool = False) -> str:
    """The machine's own settings for downloads: proxies, time-outs, checks of dates.

    Args:
        trusts_unsigned: those for lists that nobody has signed, too.

    Raises:
        ProgramError: apt-config is missing, or fails.
    """
    said = run(("apt-config", "dump"), timeout=60, environment={"LC_ALL": "C.UTF-8"})
    lines = said.decode("utf-8", "replace").splitlines()
    kept = (line for line in lines if _HOST_SETTINGS.match(line))
    return "".join(f"{line}\n" for line in kept if trusts_unsigned or not _UNSIGNED.match(line))


def unsafe_settings(settings: str) -> tuple[str, ...]:
    """The settings with which lists need not be signed, or may be old."""
    return tuple(line.rstrip(";") for line in settings.splitlines() if _is_unsafe(line))


def _is_unsafe(line: str) -> bool:
    if _OFF.search(line):
        return bool(_DATES.match(line))
    return bool(_UNSIGNED.match(line) or _LIMITS.match(line))


def configuration(folder: Path, arch: str) -> str:
    """The only settings that apt reads; the machine's hooks are not among them.

    Source: apt.conf(5). With Acquire::ForceHash, --print-uris names the SHA-256.
    """
    values = {
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": folder / "archives",
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": folder / "sources",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": folder / "preferences",
        "APT::Architecture": arch,
        "Acquire::ForceHash": "SHA256",
        "Acquire::Languages": "none",
    }
    if os.geteuid() == 0:
        values["APT::Sandbox::User"] = "root"
    lines = [f"{name} {_value(str(value))};\n" for name, value in values.items()]
    return "".join(lines) + f'#clear APT::Architectures;\nAPT::Architectures {{ "{arch}"; }};\n'


def _value(text: str) -> str:
    """A value in apt's configuration, where a quoted one cannot have quotes.

    Source: apt, apt-pkg/contrib/strutl.cc, ParseCWord and ParseQuoteWord.
    """
    return quote(text, safe="") if '"' in text else f'"{text}"'
