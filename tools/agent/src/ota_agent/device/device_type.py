# SPDX-License-Identifier: Apache-2.0
"""What kind of device this is."""

import re
from dataclasses import dataclass
from pathlib import Path

from ota_agent.device.options import DeviceOptions
from ota_agent.errors import AgentError
from ota_agent.small_file import read_small

MENDER = Path("/var/lib/mender/device_type")

_LIMIT = 4096  # [B] of a file that has one line
_LINE = re.compile(r"\s*device_type\s*=\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Found:
    """What says the device type.

    Attributes:
        name: empty if nothing says it.
        passed_over: why files that are there do not, one text each.
    """

    name: str
    passed_over: tuple[str, ...] = ()


def find_device_type(options: DeviceOptions) -> Found:
    """The device type, as configured, or as the first good file ``device_type=<name>`` says."""
    if options.device_type:
        return Found(options.device_type)
    passed_over: list[str] = []
    for path in (options.data / "device_type", MENDER):
        try:
            return Found(type_in(path), tuple(passed_over))
        except FileNotFoundError:
            continue
        except AgentError as error:
            passed_over.append(str(error))
    return Found("", tuple(passed_over))


def device_type_of(options: DeviceOptions) -> str:
    """The device type, as configured, or as a file ``device_type=<name>`` says.

    Raises:
        AgentError: no file has it.
    """
    found = find_device_type(options)
    if found.name:
        return found.name
    if found.passed_over:
        raise AgentError("; ".join(found.passed_over))
    raise AgentError(
        f"{options.data / 'device_type'}: is not there, and no artifact is for this device; write"
        " device_type=<name> into it, or set it in the section [device] of agent.toml"
    )


def type_in(path: Path, *, is_bare: bool = False) -> str:
    """The device type that a file says, on a line ``device_type=<name>``.

    Quotes around the name are not a part of it.

    Args:
        is_bare: the file may have the name alone.

    Raises:
        FileNotFoundError: it is not there, and need not be.
        AgentError: it cannot be read, or does not say it.
    """
    try:
        text = read_small(path, _LIMIT).decode("utf-8-sig")
    except FileNotFoundError:
        if not is_bare:
            raise
        raise AgentError(f"{path}: No such file or directory") from None
    except OSError as error:
        raise AgentError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of the path, or not UTF-8
        raise AgentError(f"{path}: {error}") from error
    lines = text.splitlines()
    names = [match[1] for line in lines if (match := _LINE.fullmatch(line))]
    if not names and is_bare and len(lines) == 1:
        names = [text.strip()]
    name = re.sub(r"""(["'])(.*)\1""", r"\2", names[0]) if names else ""
    if not re.fullmatch(r"\S+", name) or not name.isprintable():
        said = text.strip("\0 \t\r\n")[:60]
        raise AgentError(f"{path}: must be one line, device_type=<name>; it is {said!r}")
    return name
