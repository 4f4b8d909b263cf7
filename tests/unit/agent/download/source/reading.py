# SPDX-License-Identifier: Apache-2.0
"""A file of a simulated server, as it is read."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from ota_agent.address import Address
from ota_agent.download import DownloadOptions
from ota_agent.download.source.http import HttpSource
from ota_agent.server.http import pool
from ota_agent.server.options import TlsOptions
from tests.unit.agent.download.source.around import Time

_BYTES = random.Random(1).randbytes(400_000)
CONTENT = _BYTES[:257] + b"ustar" + _BYTES[262:]
"""Begins as an artifact does."""
OPTIONS = DownloadOptions(inactivity=5.0, no_progress=600.0)


class Reading:
    """A source, and what it has told."""

    def __init__(
        self,
        url: str,
        options: DownloadOptions = OPTIONS,
        tls: TlsOptions | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        is_by_hand: bool = False,
    ) -> None:
        self.time, self.told = Time(), list[str]()
        connections = pool(
            tls or TlsOptions(allow_plain_http=True), timeout=5.0, environment=environment or {}
        )
        self.source = HttpSource(
            Address(url),
            connections,
            options,
            replace(self.time.surroundings, is_by_hand=is_by_hand),
            tell=self.told.append,
        )
        _open.append(self.source)

    def rest(self, size: int = 1 << 18) -> bytes:
        return b"".join(iter(lambda: self.source.read(size), b""))


_open: list[HttpSource] = []


@contextmanager
def hanging_up() -> Iterator[None]:
    """Close the sources that are made meanwhile."""
    yield
    while _open:
        _open.pop().close()
