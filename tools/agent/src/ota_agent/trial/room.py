# SPDX-License-Identifier: Apache-2.0
"""Whether there is room on /data for what an update writes: logs, checkpoints, the next download.

The agent's state proves nothing of it: it is overwritten in place, which a full disk takes.
"""

import errno
import os
import tempfile
from pathlib import Path

from ota_agent.errors import AgentError

LEAST = 64 << 10
"""What an update and the log of its trial need [B]."""

_CANNOT = (errno.EOPNOTSUPP, errno.EINVAL)
"""What a filesystem says that cannot reserve space. Source: posix_fallocate(3)."""


def prove_room(folder: Path, size: int = LEAST) -> None:
    """Take so much space in a new file without a name, and give it back.

    The space that a filesystem says is free may be reserved.

    Args:
        size: [B].

    Raises:
        AgentError: the room is missing, or nothing can be written.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise AgentError(
            f"{folder}: {error.strerror}: {size} B cannot be written there; remove what is not"
            " needed on /data"
        ) from error
