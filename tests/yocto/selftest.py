# SPDX-License-Identifier: Apache-2.0
"""A build directory of our test distribution, in which BitBake runs the classes of meta-ota.

The distribution is in meta-selftest. It compiles nothing: `ota-image` makes the root filesystem and
the kernel from Debian's packages, and compiles U-Boot.
"""

import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from ota_board.board import Board
from ota_board.load import load_board
from ota_image.build import Built
from ota_image.firmware.machine import machine_firmware
from ota_image.firmware.packages import fetch_firmware
from ota_image.rootfs.settings import Settings, read_ssh_keys
from ota_image.rootfs.slot import make_slot
from tests.house.tree import ROOT
from tests.system.images import Image, minimal, ssh_key
from tests.yocto.bitbake import OE_ROOT, BuildFolder, Configuration

_LAYER = Path(__file__).with_name("meta-selftest")
_BUILD_TIME = 1800.0  # [s] on a busy machine
_TYPES = "sdimg sdimg.bmap mender bootimg dataimg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files that the distribution uses instead of compiling them.

    Attributes:
        root: slot A's filesystem, as an ext4 image, without the agent.
        firmware: starts the board.
        to_deploy: the firmware for the image, or U-Boot, which QEMU starts itself.
    """

    board: Board
    root: Path
    firmware: Path
    to_deploy: Path


def inputs(name: str, folder: Path) -> Inputs:
    """Make them for a board, in a folder; everything that does not change comes from the cache."""
    path = ROOT / "boards" / name
    board = load_board(path)
    recipe, root = minimal(), folder / f"{name}.ext4"
    keys = read_ssh_keys(ssh_key().with_suffix(".pub"))
    make_slot(board, recipe, Settings(release="0", ssh_keys=keys), root, progress=print)
    firmware = machine_firmware(board, path, say=print)
    packaged = list(fetch_firmware(board, recipe, say=print).files.values())
    to_deploy = folder / (packaged[0] if packaged else firmware).name
    shutil.copyfile(packaged[0] if packaged else firmware, to_deploy)
    return Inputs(board=board, root=root, firmware=firmware, to_deploy=to_deploy)


@dataclass(frozen=True, slots=True)
class Build:
    """A build directory of one release and one board."""

    at: BuildFolder
    inputs: Inputs

    def configure(self, settings: str = "") -> None:
        """Write the configuration, with more lines for local.conf."""
        core = OE_ROOT / self.at.release / "openembedded-core" / "meta"
        own = (
            f'MACHINE = "{self._machine}"\nDISTRO = "ota-selftest"\nCONF_VERSION = "2"\n'
            f"require conf/machine/include/ota-{self.inputs.board.name}.inc\n"
            f'OTA_IMAGE_FSTYPES = "{_TYPES}"\n'
            f'SELFTEST_ROOT = "{self.inputs.root}"\n'
            f'SELFTEST_FIRMWARE = "{self.inputs.to_deploy}"\n'
            f'SELFTEST_MODULES = "{sysconfig.get_path("purelib")}"\n'
            'CONNECTIVITY_CHECK_URIS = ""\nBB_NO_NETWORK = "1"\n'
        )
        layers = (core, ROOT / "meta-ota", _LAYER)
        self.at.configure(Configuration(layers, own), settings)

    def bitbake(self, *words: str) -> str:
        """What BitBake prints.

        Raises:
            ProgramError: it ends with an error; the text has what it said.
        """
        return self.at.bitbake(*words, timeout=_BUILD_TIME)

    def image(self, name: str, release: str) -> Image:
        """The files that BitBake has deployed for an image, with its own list of the software."""
        folder = self.at.folder
        (deploy,) = folder.glob(f"tmp*/deploy/images/{self._machine}")
        stem = f"{name}-{self._machine}.rootfs"
        built = Built(
            name=f"{name}-{release}",
            image=deploy / f"{stem}.sdimg",
            artifact=deploy / f"{stem}.mender",
            layout=self.at.made_of(name) / "ota-rendered" / "layout.json",
            software=deploy / f"{stem}.manifest",
        )
        return Image(
            board=self.inputs.board, built=built, firmware=self.inputs.firmware, key=ssh_key()
        )

    @property
    def _machine(self) -> str:
        assert self.inputs.board.yocto
        return self.inputs.board.yocto.machine
