# SPDX-License-Identifier: Apache-2.0
"""Keeps what the agent has on /data for root: logs and keys are nobody else's to read."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

_OTHERS = 0o077
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def keep_private(data: Path, boots: Path) -> None:
    """Take the permissions of others from the agent's folder, and from the logs of boots.

    An older release, or the init that made the folder, may have left them open to all. What is not
    ours, or not there, is left alone: `ota-agent doctor` tells of it.

    Args:
        data: the agent's folder on /data.
        boots: where the logs of boots are.
    """
    for path in (data, *_below(boots)):
        try:
            file = os.open(path, _FLAGS)
        except OSError:
            continue
        try:
            found = os.fstat(file)
            if found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
                os.fchmod(file, stat.S_IMODE(found.st_mode) & ~_OTHERS)
        except OSError as error:
            logger.warning("%s: its mode cannot be changed: %s", path, error.strerror)
        finally:
            os.close(file)


def _below(folder: Path) -> Iterator[Path]:
    """A folder and all that is in it, without what symbolic links lead to."""
    with suppress(OSError):
        for here, _, files in os.walk(folder):
            yield Path(here)
            yield from (Path(here) / each for each in files)
