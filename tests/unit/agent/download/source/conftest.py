# SPDX-License-Identifier: Apache-2.0
"""A server with a file, and no connection left open."""

from collections.abc import Iterator

import pytest

from tests.simulators.file_server import FileServer, file_server
from tests.unit.agent.download.source.reading import CONTENT, hanging_up


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server(CONTENT) as running:
        yield running


@pytest.fixture(autouse=True)
def all_hung_up() -> Iterator[None]:
    with hanging_up():
        yield
