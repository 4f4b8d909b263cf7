# SPDX-License-Identifier: Apache-2.0
"""The server of the demo, with real TLS."""

import http.client
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ota_hil.demo.serve import served
from tests.simulators import certificates

_SIZE = 8 << 20  # [B] more than sockets hold


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(_SIZE)
    made = certificates.make(tmp_path, "demo")
    files = {"v2.mender": tmp_path / "file"}
    with served(files, made.path, made.key_path) as port:
        yield port


def ask(port: int, name: str) -> http.client.HTTPSConnection:
    context = ssl._create_unverified_context()  # noqa: S323
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    connection.request("GET", f"/{name}")
    return connection


def heard(capfd: pytest.CaptureFixture[str], is_enough: Callable[[str], bool]) -> str:
    """What comes on stderr until it is enough, or for half a second."""
    end, said = time.monotonic() + 0.5, ""
    while not is_enough(said) and time.monotonic() < end:
        said += capfd.readouterr().err
        time.sleep(0.02)
    return said


@pytest.mark.parametrize("how", ["reset", "closed", "no TLS"])
def test_a_client_that_leaves_is_not_worth_a_word(
    port: int, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if how == "no TLS":
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    else:
        connection = ask(port, "v2.mender")
        assert connection.getresponse().read(1000)
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.sock.close()
        connection.close()

    said = heard(capfd, lambda said: "Traceback" in said)

    assert said == ""


def test_a_fault_of_ours_is_shown(
    port: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ota_hil.demo.serve._PIECE", "not a number")

    connection = ask(port, "v2.mender")
    connection.getresponse()

    assert "TypeError" in heard(capfd, lambda said: "TypeError" in said)
    connection.close()
