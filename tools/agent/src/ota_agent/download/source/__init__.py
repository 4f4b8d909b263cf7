# SPDX-License-Identifier: Apache-2.0
"""Where an artifact is read from: a server, a file, standard input."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ota_agent.address import Address
from ota_agent.download import DownloadOptions
from ota_agent.download.source.file import FileSource, is_path
from ota_agent.download.source.retry import Surroundings, Tell
from ota_agent.errors import AgentError

if TYPE_CHECKING:
    import urllib3

    from ota_agent.download.source.http import HttpSource

    ArtifactSource = FileSource | HttpSource


def open_source(
    source: Address,
    options: DownloadOptions,
    surroundings: Surroundings,
    *,
    pool: Callable[[], "urllib3.PoolManager"],
    tell: Tell,
    spent: float = 0.0,
) -> "ArtifactSource":
    """The artifact of that name.

    Args:
        source: an http or https URL, a path, or ``-`` for standard input.
        pool: makes the connections, if any are needed.
        spent: how long it was downloaded before the agent started [s].

    Raises:
        AgentError: it is not there, or is something else.
    """
    if is_path(source.full):
        return FileSource(source)
    if not source.is_web:
        raise AgentError(
            f"{source}: is neither an http or https URL nor a path; give the artifact as one"
        )
    from ota_agent.download.source.http import HttpSource

    return HttpSource(source, pool(), options, surroundings, tell=tell, spent=spent)
