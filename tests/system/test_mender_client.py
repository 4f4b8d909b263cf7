# SPDX-License-Identifier: Apache-2.0
"""Mender's own client, from Debian, on our image: it installs our artifact, commits, rolls back."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from tests.conftest import requires_program
from tests.system.images import Image, image_of, minimal
from tests.system.mender_overlay import mender_overlay
from tests.system.running import running
from tests.system.u_boot_cycle import expect_variables

pytestmark = [
    pytest.mark.full,  # minutes: the client reads the passive slot's 128 MiB under emulation
    pytest.mark.timeout(1800),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

HOST = "10.0.2.2"
"""What the board calls this machine. Source: QEMU, user networking."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("mender")
    overlay, version = mender_overlay("qemu-arm64", minimal(), folder / "overlay")
    print(f"mender-client {version}")
    return image_of("qemu-arm64", folder / "built", overlays=(overlay,))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder by HTTP, as the board sees it."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


def test_menders_client_installs_our_artifact_tries_commits_and_rolls_back(
    image: Image, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with (
        served(image.built.artifact.parent) as url,
        running(image.board, disk, image.firmware, image.key) as board,
    ):
        install = f"mender install {url}/{image.built.artifact.name} 2>&1"
        board.comes_up_on("A")
        assert board.ssh("mender show-artifact").strip() == image.built.name

        # A trial that it commits.
        print(board.ssh(install, timeout=900))
        expect_variables(board, upgrade_available="1", mender_boot_part="3", bootcount="0")
        board.restart()
        board.expect("OTA: trial boot of partition 3", timeout=120)
        board.comes_up_on("B")
        print(board.ssh("mender commit 2>&1", timeout=300))
        expect_variables(board, upgrade_available="0", mender_boot_part="3")

        # The next one is rolled back: the power is cut before a commit.
        print(board.ssh(install, timeout=900))
        board.restart()
        board.expect("OTA: trial boot of partition 2", timeout=120)
        board.comes_up_on("A")
        board.qemu.off()
        board.qemu.on()
        board.expect("was not committed, rolling back", timeout=120)
        board.comes_up_on("B")
        expect_variables(board, upgrade_available="0", mender_boot_part="3")
        expect_variables(board, ota_good_a="0", ota_good_b="1")  # which the client does not know
        with pytest.raises(ProgramError):  # there is nothing left to commit
            board.ssh("mender commit", timeout=300)
