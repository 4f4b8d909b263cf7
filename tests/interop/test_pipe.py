# SPDX-License-Identifier: Apache-2.0
"""An artifact is checked while it comes from the network, on a pipe."""

import functools
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.interop.conftest import Command

pytestmark = [
    requires_program("curl", package="curl"),
    requires_program("mke2fs", package="e2fsprogs"),
]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of a server for the files of the test's folder."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def validate(url: str) -> str:
    command = Path(sys.executable).with_name("ota-artifact")
    script = f"curl -sN {url}/v2.mender | {command} validate -"
    return run(("bash", "-o", "pipefail", "-c", script), timeout=30).decode()


def test_an_artifact_is_validated_on_a_pipe(
    ours: Command, image: Path, tmp_path: Path, url: str
) -> None:
    ours("write", "rootfs-image", "-c", "a", "-n", "v2", "-f", image, "-o", tmp_path / "v2.mender")

    assert "validated successfully" in validate(url)


def test_an_artifact_that_ends_early_on_a_pipe_is_refused(
    ours: Command, image: Path, tmp_path: Path, url: str
) -> None:
    artifact = tmp_path / "v2.mender"
    ours("write", "rootfs-image", "-c", "a", "-n", "v2", "-f", image, "-o", artifact)
    artifact.write_bytes(artifact.read_bytes()[:100_000])

    with pytest.raises(ProgramError, match=r"exit code 5.*truncated"):
        validate(url)
