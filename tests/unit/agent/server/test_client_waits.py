# SPDX-License-Identifier: Apache-2.0
"""A server says when it wants to be asked again."""

import time

import pytest

from ota_agent.errors import Unreachable
from tests.simulators.mender_server import Fault, MenderServer
from tests.unit.agent.server.test_client import PROVIDES, client, server

__all__ = ["server"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_says_how_long_to_wait(server: MenderServer, status: int) -> None:
    server.faults.append(Fault(path="next", status=status, headers={"Retry-After": "120"}))

    with pytest.raises(Unreachable) as caught:
        client(server).next_deployment(PROVIDES, "board")

    assert caught.value.retry_after == 120


@pytest.mark.parametrize(
    ("said", "expected"), [("90", 90), ("9" * 400, 86400), ("-5", 0), ("1.5", 0), ("soon", 0)]
)
def test_a_server_that_has_nothing_says_when_to_ask_again(
    server: MenderServer, said: str, expected: float
) -> None:
    server.faults.append(Fault(path="next", status=204, headers={"X-OTA-Poll-After": said}))
    device = client(server)

    device.next_deployment(PROVIDES, "board")
    first = device.poll_after
    device.next_deployment(PROVIDES, "board")

    assert (first, device.poll_after) == (expected, 0)


def test_only_an_answer_without_an_update_says_when_to_ask_again(server: MenderServer) -> None:
    server.faults.append(Fault(path="inventory", status=200, headers={"X-OTA-Poll-After": "90"}))
    device = client(server)

    device.send_inventory({"a": "b"})

    assert device.poll_after == 0


def test_a_date_to_wait_for_is_understood_and_no_wait_is_longer_than_a_day(
    server: MenderServer,
) -> None:
    from email.utils import formatdate

    found = []
    for text in (formatdate(time.time() + 100, usegmt=True), "9" * 40, "soon", "-5"):
        server.faults.append(Fault(path="auth", status=429, headers={"Retry-After": text}))
        with pytest.raises(Unreachable) as caught:
            client(server).authenticate()
        found.append(caught.value.retry_after)

    assert found == [pytest.approx(100, abs=5), 86400, 0, 0]
