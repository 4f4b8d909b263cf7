# SPDX-License-Identifier: Apache-2.0
"""The page on trust works as it is written."""

import socket
from pathlib import Path

import pytest

from tests.conftest import requires_localhost, requires_program
from tests.house.pages import commands, follow
from tests.house.tree import ROOT

PORT = "18443"


@pytest.mark.boot  # starts the agent three times, and a server
@requires_localhost
@requires_program("openssl", package="openssl")
def test_the_page_on_trust_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = commands((ROOT / "docs" / "howto" / "trust.md").read_text("utf-8"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])

    said = follow("exec 2>&1\n" + script.replace(PORT, port))

    assert "is not signed; as keys are given, it must be" in said
    assert said.count("update module show (stdout): hello") == 5
    assert "security_version 3, and the floor of this device is 4" in said
    assert "never goes back below the security version rootfs-image.show 4 of key" in said
    assert said.count("state Committed") == 5


@pytest.mark.boot  # starts the agent seven times
@requires_program("openssl", package="openssl")
def test_the_page_on_replacing_a_key_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = commands((ROOT / "docs" / "howto" / "replace-a-key.md").read_text("utf-8"))

    said = follow("exec 2>&1\n" + script)

    assert said.count("update module show (stdout): hello") == 2
    assert "signature of key" in said
    assert "revoked" in said
    assert said.count("state Committed") == 4
