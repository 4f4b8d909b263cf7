# SPDX-License-Identifier: Apache-2.0
"""A build directory of our test distribution, in which BitBake runs the classes of meta-ota.

The distribution is in meta-selftest. It compiles nothing: the root filesystem and the kernel are
those that `ota-image` makes from Debian's packages, U-Boot the one that the kit has compiled.
"""

import os
import shlex
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.run import run
from ota_board.board import Board
from ota_board.load import load_board
from ota_image.build import Built
from ota_image.debian.rootfs import make_slot
from ota_image.debian.settings import Settings, read_ssh_keys
from ota_image.firmware.machine import machine_firmware
from ota_image.firmware.packages import packaged_firmware
from tests.house.tree import ROOT
from tests.system.images import Image, minimal, ssh_key

NOBODY = 65534
_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
_LAYER = Path(__file__).with_name("meta-selftest")
_TYPES = "sdimg sdimg.bmap mender bootimg dataimg"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the distribution takes instead of compiling it.

    Attributes:
        root: slot A's filesystem, as an ext4 image, without the agent.
        firmware: what starts the board.
        to_deploy: the firmware that the image is to have, or U-Boot, which QEMU starts itself.
    """

    board: Board
    root: Path
    firmware: Path
    to_deploy: Path


def inputs(name: str, folder: Path) -> Inputs:
    """Make them for a board, in a folder; what is the same every time comes from the cache."""
    path = ROOT / "boards" / name
    board = load_board(path)
    recipe, root = minimal(), folder / f"{name}.ext4"
    keys = read_ssh_keys(ssh_key().with_suffix(".pub"))
    make_slot(board, recipe, Settings(release="0", ssh_keys=keys), root, progress=print)
    firmware = machine_firmware(board, path, say=print)
    packaged = list(packaged_firmware(board, recipe.release, say=print).files.values())
    to_deploy = folder / (packaged[0] if packaged else firmware).name
    shutil.copyfile(packaged[0] if packaged else firmware, to_deploy)
    return Inputs(board, root, firmware, to_deploy)


@dataclass(frozen=True, slots=True)
class Build:
    """A build directory of one release and one board.

    Attributes:
        checkouts: the folder with the repositories of the release.
    """

    folder: Path
    checkouts: Path
    inputs: Inputs

    def configure(self, settings: str = "") -> None:
        """Write the configuration, with more lines for local.conf."""
        yocto = self.inputs.board.yocto
        assert yocto is not None
        layers = (self.checkouts / "openembedded-core" / "meta", ROOT / "meta-ota", _LAYER)
        conf = self.folder / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        (conf / "bblayers.conf").write_text(
            'BBPATH = "${TOPDIR}"\nBBFILES ?= ""\n' + f'BBLAYERS = "{" ".join(map(str, layers))}"\n'
        )
        (conf / "local.conf").write_text(
            f'MACHINE = "{yocto.machine}"\nDISTRO = "ota-selftest"\nCONF_VERSION = "2"\n'
            f"require conf/machine/include/ota-{self.inputs.board.name}.inc\n"
            f'OTA_IMAGE_FSTYPES = "{_TYPES}"\n'
            f'SELFTEST_ROOT = "{self.inputs.root}"\n'
            f'SELFTEST_FIRMWARE = "{self.inputs.to_deploy}"\n'
            f'SELFTEST_MODULES = "{sysconfig.get_path("purelib")}"\n'
            f'CONNECTIVITY_CHECK_URIS = ""\nBB_NO_NETWORK = "1"\n{settings}'
        )
        if os.geteuid() == 0:  # BitBake refuses root
            for path in (self.folder, conf, *conf.iterdir()):
                os.chown(path, NOBODY, NOBODY)

    def bitbake(self, *words: str, timeout: float = 1500.0) -> str:
        """What BitBake prints.

        Args:
            timeout: how long it may take [s].

        Raises:
            ProgramError: it ends with an error; the text has what it said.
        """
        program = self.checkouts / "bitbake" / "bin" / "bitbake"
        said = shlex.quote(str(self.folder / "said"))
        line = (
            f"cd {shlex.quote(str(self.folder))} && {{ {program} {shlex.join(words)} >{said} 2>&1"
            f" && cat {said} || {{ cat {said} >&2; exit 1; }}; }}"
        )
        shell = (*_NOBODY, "sh", "-c", line) if os.geteuid() == 0 else ("sh", "-c", line)
        environment = {
            "BBPATH": str(self.folder),
            "HOME": str(self.folder),
            "PATH": f"{program.parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8",
            "BB_SERVER_TIMEOUT": "0",
        }
        return run(shell, timeout=timeout, environment=environment).decode("utf-8", "replace")

    def image(self, name: str, release: str) -> Image:
        """What BitBake has deployed of an image; of its software the list that BitBake writes."""
        yocto = self.inputs.board.yocto
        assert yocto is not None
        (deploy,) = self.folder.glob(f"tmp*/deploy/images/{yocto.machine}")
        stem = f"{name}-{yocto.machine}.rootfs"
        built = Built(
            name=f"{name}-{release}",
            image=deploy / f"{stem}.sdimg",
            artifact=deploy / f"{stem}.mender",
            layout=next(self.folder.glob(f"tmp*/work/*/{name}/*/ota-rendered/layout.json")),
            software=deploy / f"{stem}.manifest",
        )
        return Image(self.inputs.board, built, self.inputs.firmware, ssh_key())
