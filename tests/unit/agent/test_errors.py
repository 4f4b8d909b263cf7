# SPDX-License-Identifier: Apache-2.0
"""What an error of a library says, without those that it is wrapped in."""

import pytest
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, ProtocolError, ProxyError

from ota_agent.errors import innermost

RESET = ConnectionResetError(104, "Connection reset by peer")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RESET, "[Errno 104] Connection reset by peer"),
        (ProtocolError("Connection aborted.", RESET), "[Errno 104] Connection reset by peer"),
        (
            MaxRetryError(HTTPConnectionPool("h"), "/", ProxyError("no proxy", OSError("407"))),
            "407",
        ),
        (ProtocolError("Connection aborted."), "Connection aborted."),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_the_innermost_one_speaks(error: Exception, text: str) -> None:
    found = innermost(error)

    assert found == text
