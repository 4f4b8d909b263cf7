# SPDX-License-Identifier: Apache-2.0
"""BitBake itself reads the layer: `make test-yocto OE_ROOT=…`, for each release and machine.

$OE_ROOT has a folder for each release, and in it checkouts of openembedded-core, bitbake,
meta-yocto and meta-raspberrypi. Other recipes than those that the layer appends to are masked, so
that it is quick: what is shown is that the layer parses; nothing is built.
"""

import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_board.load import all_boards, load_board
from tests.conftest import requires_open_tree
from tests.house.tree import ROOT

OE_ROOT = Path(os.environ.get("OE_ROOT", "/nonexistent"))
RELEASES = [name for name in ("scarthgap", "wrynose") if (OE_ROOT / name).is_dir()]
BOARDS = [path.name for path in all_boards([ROOT / "boards"]) if load_board(path).yocto]
LAYERS = {
    "beaglebone-yocto": ("meta-yocto/meta-yocto-bsp",),
    "raspberrypi3-64": ("meta-raspberrypi",),
}
MASK = (
    "/openembedded-core/meta/recipes-(?!bsp/u-boot|bsp/grub|core/images|kernel/linux/linux-yocto)"
    " /meta-raspberrypi/(?!conf|recipes-kernel/linux) /meta-yocto/.*/recipes-"
)
_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(900),  # [s] a parse on a busy machine
    requires_open_tree,
    pytest.mark.skipif(not RELEASES, reason="OE_ROOT has no scarthgap and no wrynose: see above"),
]


class Build:
    """A build directory of one release and machine."""

    def __init__(self, folder: Path, release: str, board: str, settings: str = "") -> None:
        self.folder = folder
        self.checkouts = OE_ROOT / release
        yocto = load_board(ROOT / "boards" / board).yocto
        assert yocto is not None
        machine = yocto.machine
        own = [str(self.checkouts / name) for name in LAYERS.get(machine, ())]
        core = str(self.checkouts / "openembedded-core" / "meta")
        layers = " ".join((core, *own, str(ROOT / "meta-ota")))
        (folder / "conf").mkdir(parents=True)
        (folder / "conf" / "bblayers.conf").write_text(
            f'BBPATH = "${{TOPDIR}}"\nBBFILES ?= ""\nBBLAYERS = "{layers}"\n'
        )
        (folder / "conf" / "local.conf").write_text(
            f'MACHINE = "{machine}"\nDISTRO = "nodistro"\nCONF_VERSION = "2"\n'
            f'PACKAGE_CLASSES = "package_ipk"\nBB_NO_NETWORK = "1"\nBBMASK = "{MASK}"\n'
            f"require conf/machine/include/ota-{board}.inc\n{settings}"
        )
        if os.geteuid() == 0:  # BitBake refuses root
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, 65534)

    def bitbake(self, *words: str) -> str:
        """What BitBake prints.

        Raises:
            ProgramError: it ends with an error; the text has what it said.
        """
        program = self.checkouts / "bitbake" / "bin" / "bitbake"
        log = shlex.quote(str(self.folder / "said"))
        line = (
            f"cd {shlex.quote(str(self.folder))} && {{ {program} {shlex.join(words)} >{log} 2>&1"
            f" && cat {log} || {{ cat {log} >&2; exit 1; }}; }}"
        )
        shell = (*_NOBODY, "sh", "-c", line) if os.geteuid() == 0 else ("sh", "-c", line)
        environment = {
            "BBPATH": str(self.folder),
            "HOME": str(self.folder),
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8",
            "BB_SERVER_TIMEOUT": "0",
        }
        return run(shell, timeout=840, environment=environment).decode("utf-8", "replace")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user nobody can reach; pytest closes its own at every start."""
    with tempfile.TemporaryDirectory(prefix="ota-bitbake-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("release", RELEASES)
def test_the_layer_parses(place: Path, release: str, board: str) -> None:
    said = Build(place / "build", release, board).bitbake("-p")

    assert " 0 errors." in said
    assert "ERROR" not in said


@pytest.mark.parametrize("release", RELEASES)
def test_a_misspelt_variable_stops_the_build_and_is_named(place: Path, release: str) -> None:
    build = Build(place / "build", release, "qemu-arm64", 'OTA_SERVER_URL = "https://a"\n')

    with pytest.raises(ProgramError, match=r"OTA_SERVER_URL \(did you mean OTA_SERVER_URLS"):
        build.bitbake("-p")
