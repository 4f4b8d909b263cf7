# SPDX-License-Identifier: Apache-2.0
"""Which device this is: as its programs say, or else as a server has accepted it."""

import logging
from collections.abc import Iterable
from pathlib import Path

from ota_agent.durable import replace_file
from ota_agent.errors import AgentError
from ota_agent.server import attributes
from ota_agent.small_file import read_small
from ota_artifact.json_text import parse_any

logger = logging.getLogger(__name__)

ACCEPTED = "identity"
"""A file in `DeviceOptions.data`: what a server has accepted last."""

_LIMIT = 1 << 16  # [B]


class Identity:
    """Gives the device's identity, as the JSON text that a server knows it by.

    Args:
        folders: with programs that say it.
        path: where the one that was accepted is kept.
    """

    def __init__(self, folders: Iterable[Path], path: Path) -> None:
        self._folders, self._path = tuple(folders), path

    def __call__(self) -> str:
        """As the programs say; if they fail, the one that was accepted.

        Raises:
            AgentError: they fail, and none was accepted.
        """
        known = accepted(self._path)
        try:
            found = attributes.identity(self._folders)
        except AgentError as error:
            if not known:
                raise
            logger.error("%s; the device stays %s, which a server has accepted", error, known)
            return known
        if known and found != known:
            logger.warning("identity: is %s; a server has accepted this device as %s", found, known)
        return found

    def keep(self, identity: str) -> None:
        """Remember that a server has accepted it; a full disk stops nothing."""
        if identity == accepted(self._path):
            return
        try:
            replace_file(self._path, [identity.encode()])
        except (OSError, ValueError) as error:
            logger.warning("identity: is not remembered: %s", error)


def accepted(path: Path) -> str:
    """The identity in a file; empty if it is not there, or damaged."""
    try:
        text = read_small(path, _LIMIT).decode("utf-8")
        return text if isinstance(parse_any(text), dict) else ""
    except (OSError, ValueError):
        return ""
