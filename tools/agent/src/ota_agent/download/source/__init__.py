# SPDX-License-Identifier: Apache-2.0
"""Where an artifact is read from: a server, a file, standard input."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ota_agent.address import Address
from ota_agent.download.source.file import FileSource, is_path
from ota_agent.download.source.options import DownloadOptions
from ota_agent.download.source.retry import Surroundings, Tell
from ota_agent.errors import AgentError

if TYPE_CHECKING:
    import urllib3


class ArtifactSource(Protocol):
    """An artifact as a stream of bytes."""

    offset: int
    """How far it was read [B]."""

    received: int
    """How much has come through the network so far, again and again or not [B]."""

    @property
    def size(self) -> int | None:
        """Of the artifact; None if it is not known [B]."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether what is wrong in it is wrong where it comes from, and not on the way."""
        ...

    @property
    def spent(self) -> float:
        """How long the download has taken so far, restarts of the agent included [s]."""
        ...

    @property
    def can_rewind(self) -> bool:
        """Whether it can be read once more from byte 0."""
        ...

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes [B], ``b""`` at the end.

        Raises:
            AgentError: it cannot be read any more.
        """
        ...

    def skip(self, size: int, /) -> None:
        """Pass over ``size`` bytes [B], without reading them where that can be."""
        ...

    def rewind(self) -> None:
        """Begin again at byte 0."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_source(
    source: Address,
    options: DownloadOptions,
    surroundings: Surroundings,
    *,
    pool: Callable[[], "urllib3.PoolManager"],
    tell: Tell,
    spent: float = 0.0,
) -> ArtifactSource:
    """The artifact of that name.

    Args:
        source: an http or https URL, a path, or ``-`` for standard input.
        pool: makes the connections, if any are needed.
        spent: how long it was downloaded before the agent started [s].

    Raises:
        AgentError: it is not there, or is none of these.
    """
    if is_path(source.full):
        return FileSource(source)
    if not source.is_web:
        raise AgentError(
            f"{source}: is neither an http or https URL nor a path; give the artifact as one"
        )
    from ota_agent.download.source.http import HttpSource

    return HttpSource(source, pool(), options, surroundings, tell=tell, spent=spent)
