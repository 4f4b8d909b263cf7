# SPDX-License-Identifier: Apache-2.0
"""runqemu starts our disk images as the layer tells it to: `make test-yocto OE_ROOT=…`.

They use OpenEmbedded's own runqemu, with the settings that BitBake computes for the machine. The
image is made from Debian's packages, since the tests compile none of OpenEmbedded's.
"""

import configparser
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.system.images import image_of
from tests.yocto.bitbake import MACHINES, OE_ROOT, RELEASES, BuildFolder, masked
from tests.yocto.host import requires_bitbake

RECIPE = ROOT / "meta-ota" / "recipes-ota" / "images" / "ota-image-minimal.bb"
UEFI = Path("/usr/share/ovmf/OVMF.fd")

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1200),  # [s] BitBake reads the layer, an image is made, and it starts
    requires_bitbake,
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("qemu-system-x86_64", package="qemu-system-x86"),
    pytest.mark.skipif(not UEFI.exists(), reason=f"no {UEFI} here: apt-get install ovmf"),
]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user nobody can reach."""
    with tempfile.TemporaryDirectory(prefix="ota-runqemu-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def settings(build: BuildFolder) -> dict[str, str]:
    """The settings that the class qemuboot would write for the minimal image, by variable."""
    said = build.bitbake("-e", "-b", str(RECIPE))
    return dict(re.findall(r'^(QB_\w+|SERIAL_CONSOLES|TUNE_ARCH)="(.*)"$', said, re.MULTILINE))


@contextmanager
def started(program: Path, *words: str, log: Path) -> Iterator[Callable[[], str]]:
    """A program that runs until the block ends; gives a function for its output so far."""
    with (
        log.open("wb") as file,
        subprocess.Popen(  # noqa: S603
            [program, *words],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield lambda: log.read_text("utf-8", "replace")
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(text: str, said: Callable[[], str], timeout: float = 240.0) -> None:
    """Wait until a program has printed a text.

    Args:
        timeout: how long that may take [s].
    """
    end = time.monotonic() + timeout
    while text not in said():
        assert time.monotonic() < end, f"no {text!r} after {timeout:g} s, but {said()[-2000:]}"
        time.sleep(0.5)


@pytest.mark.parametrize("board", ["qemu-arm64", "qemu-x86-64"])
@pytest.mark.parametrize("release", RELEASES)
def test_runqemu_starts_the_disk_image(place: Path, release: str, board: str) -> None:
    found = settings(masked(place / "build", release, board))
    image, deploy = image_of(board, place / "image"), place / "deploy"
    deploy.mkdir()
    shutil.copyfile(image.built.image, deploy / "image.sdimg")
    firmware = UEFI if board == "qemu-x86-64" else image.firmware
    shutil.copyfile(firmware, deploy / ("ovmf.bin" if firmware == UEFI else "u-boot.bin"))
    own = {
        "MACHINE": MACHINES[board],
        "DEPLOY_DIR_IMAGE": str(deploy),
        "IMAGE_NAME": "image",
        "IMAGE_LINK_NAME": "image",
        "STAGING_DIR_NATIVE": "/usr",
        "STAGING_BINDIR_NATIVE": "/usr/bin",
    }
    file = configparser.ConfigParser(interpolation=None)
    file["config_bsp"] = {**found, **own}
    with (deploy / "image.qemuboot.conf").open("w") as stream:
        file.write(stream)

    runqemu = OE_ROOT / release / "openembedded-core" / "scripts" / "runqemu"
    words = [str(deploy / "image.qemuboot.conf"), "nographic", "slirp"]
    words += ["ovmf"] if firmware == UEFI else []
    with started(runqemu, *words, log=place / "console") as said:
        for text in ("userspace up", "ota: network: eth0 has 10.0.2.15", "ota-agent: "):
            wait_for(text, said)
