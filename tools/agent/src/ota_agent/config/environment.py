# SPDX-License-Identifier: Apache-2.0
"""What the agent is told by files of its environment, such as its proxy: lines NAME=value."""

import logging
import os
import re
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from ota_agent.config.entry import text_of
from ota_agent.errors import AgentError

logger = logging.getLogger(__name__)

SLOT = Path("/etc/ota/environment")
"""Belongs to a slot, and may set any variable."""

NAME = "environment"
"""A file in `DeviceOptions.data`, which comes last, and may only set variables of proxies."""

_PROXIES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"})
_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_QUOTED = re.compile(r"""(["'])(.*)\1""")


def take_environment(
    data: Path, *, slot: Path = SLOT, environment: MutableMapping[str, str] = os.environ
) -> None:
    """Set the variables that the files name; what cannot be is passed over, and logged.

    Args:
        data: the agent's folder on /data.
        environment: is changed.
    """
    for each in settings_in(data, slot=slot):
        if isinstance(each, str):
            logger.error("%s; it is passed over", each)
        else:
            environment[each[0]] = each[1]
    if environment is os.environ:
        time.tzset()


def settings_in(data: Path, *, slot: Path = SLOT) -> Iterator[tuple[str, str] | str]:
    """The variables in both files, and a sentence for each line or file that is passed over."""
    for path in (slot, data / NAME):
        try:
            text = text_of(path)
        except FileNotFoundError:
            continue
        except (AgentError, UnicodeDecodeError) as error:
            yield f"{path}: {str(error).removeprefix(f'{path}: ')}"
            continue
        for number, line in enumerate(text.splitlines(), 1):
            place = f"{path}:{number}"
            match = _LINE.fullmatch(line.strip())
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if not match or "\0" in line:
                yield f"{place}: is not NAME=value"
            elif path != slot and match[1].lower() not in _PROXIES:
                yield f"{place}: {match[1]} is not a variable of a proxy; set it in {slot}"
            else:
                quoted = _QUOTED.fullmatch(match[2])
                yield match[1], quoted[2] if quoted else match[2]
