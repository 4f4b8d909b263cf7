# SPDX-License-Identifier: Apache-2.0
"""What programs say of the device: who it is, and what is in it."""

import json
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from ota_agent.errors import AgentError
from ota_agent.owners import require_trusted
from ota_artifact.errors import ProgramError
from ota_artifact.leftover import leaving_nothing
from ota_artifact.quoting import shortened
from ota_artifact.run import Channel, Supervised

logger = logging.getLogger(__name__)

Attributes = Mapping[str, str | tuple[str, ...]]
"""The value of each name; a name that was given more than once has all its values."""

_PATIENCE = 10.0  # [s] Source: Mender's client
_GRACE = 1.0  # [s] for a program to end after its time
_MOST = 1 << 16  # characters of all that a program prints
_OF_MENDER = "mender-inventory-"
_LONGEST = 4096  # characters of a value


def identity(folders: Iterable[Path]) -> str:
    """What tells this device from all others, as the JSON text that a server knows it by.

    Raises:
        AgentError: nothing says so, or a program that should fails.
    """
    names = list(map(str, folders))
    for folder in map(Path, names):
        programs = _programs(folder)
        if not programs:
            continue
        found: dict[str, list[str]] = {}
        for program in programs.values():
            try:
                require_trusted(program)
                _add(found, _lines(program))
            except (AgentError, ProgramError) as error:
                raise AgentError(f"identity: {error}") from error
        if not found:
            raise AgentError(f"identity: the programs in {folder} say nothing; they must say who")
        return json.dumps(_frozen(found), sort_keys=True, separators=(",", ":"))
    raise AgentError(
        f"identity: no program in {' or '.join(names)}; put one there that prints what tells this"
        " device from all others, such as mac=00:11:22:33:44:55"
    )


def inventory(folders: Iterable[Path]) -> dict[str, str | tuple[str, ...]]:
    """What is in this device; a program that fails is left out."""
    programs: dict[str, Path] = {}
    for folder in folders:
        programs = {**_programs(folder), **programs}
    found: dict[str, list[str]] = {}
    for name in sorted(programs):
        try:
            require_trusted(programs[name])
            _add(found, _lines(programs[name]))
        except (AgentError, ProgramError) as error:
            logger.warning("inventory: %s; left out", error)
    return _frozen(found)


def _programs(folder: Path) -> dict[str, Path]:
    """What can be run in a folder, by name, in the order of names."""
    found = {}
    try:
        for path in sorted(folder.iterdir()):
            if stat.S_ISREG(path.stat().st_mode) and os.access(path, os.X_OK):
                found[path.name.removeprefix(_OF_MENDER)] = path
    except OSError as error:
        logger.debug("%s: %s", folder, error.strerror)
    return found


def _lines(program: Path) -> list[str]:
    """What a program prints, up to a limit; it leaves no process behind.

    Raises:
        ProgramError: it fails, takes too long or prints too much.
    """
    said: dict[Channel, list[str]] = {"stdout": [], "stderr": []}
    size = 0

    def hear(channel: Channel, line: str) -> None:
        nonlocal size
        size += len(line) + 1
        if size > _MOST:
            raise ProgramError(f"{program}: printed more than {_MOST} B; it was killed")
        said[channel].append(line)

    with (
        leaving_nothing() as marks,
        Supervised(
            (program,), timeout=_PATIENCE, hear=hear, environment=marks, grace=_GRACE
        ) as running,
    ):
        code = running.finish()
    if code:
        why = shortened("\n".join(said["stderr"])) or "(nothing on stderr)"
        raise ProgramError(f"{program}: exit code {code}: {why}")
    return said["stdout"]


def _add(found: dict[str, list[str]], said: Iterable[str]) -> None:
    for line in said:
        key, equals, value = line.partition("=")
        if equals and key.strip():
            found.setdefault(key.strip(), []).append(value.strip()[:_LONGEST])


def _frozen(found: Mapping[str, list[str]]) -> dict[str, str | tuple[str, ...]]:
    return {key: values[0] if len(values) == 1 else tuple(values) for key, values in found.items()}
