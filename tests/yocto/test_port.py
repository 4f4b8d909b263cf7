# SPDX-License-Identifier: Apache-2.0
"""The made-up board of docs/howto/port-a-board-with-yocto.md, ported by the commands of that page.

kas and BitBake read the result; $OE_ROOT as in bitbake.py.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ota_artifact.run import run
from ota_board.load import load_board
from ota_board.u_boot import needed
from tests.conftest import requires_program
from tests.house.pages import commands, follow
from tests.house.tree import ROOT
from tests.yocto.bitbake import RELEASES, BuildFolder, configuration, masked
from tests.yocto.host import requires_bitbake
from tests.yocto.planning import LIMIT, QUICK, expect_planned, work_folder

PAGE = ROOT / "docs" / "howto" / "port-a-board-with-yocto.md"
ELSEWHERE = ("openembedded-core", "bitbake", "meta-yocto", "ota-kit")

pytestmark = [pytest.mark.boot, requires_program("git", package="git")]


@pytest.fixture(scope="module")
def port() -> Iterator[Path]:
    """A folder after following the page in it; other users may read it."""
    with tempfile.TemporaryDirectory(prefix="ota-port-") as name:
        place = Path(name)
        place.chmod(0o755)
        follow(f"cd {place}\n" + commands(PAGE.read_text("utf-8")))
        yield place


def test_the_page_leaves_one_board_and_one_layer(port: Path) -> None:
    found = {str(each.relative_to(port)) for each in port.rglob("*") if each.is_file()}

    assert {name for name in found if not name.startswith(".git/")} == {
        "boards/gate/README.md",
        "boards/gate/board.yaml",
        "boards/gate/hil.yaml",
        "boards/gate/kas.yml",
        "boards/gate/u-boot.cfg",
        "boards/gate/u-boot.env",
        "kas.yml",
        "meta-gate/conf/layer.conf",
        "meta-gate/conf/machine/gate.conf",
        "meta-gate/conf/machine/include/ota-gate.inc",
    }


def test_the_board_is_what_the_page_says_it_is(port: Path) -> None:
    folder = port / "boards" / "gate"

    board = load_board(folder)

    assert (board.name, board.storage.device) == ("gate", "/dev/mmcblk1")
    assert board.layout.partition("A").size == 1 << 30
    assert board.yocto is not None
    assert board.yocto.machine == "gate"
    fragment = needed(board, folder).splitlines()
    assert {"CONFIG_ENV_MMC_DEVICE_INDEX=1", 'CONFIG_IDENT_STRING=" gate"'} <= set(fragment)


def test_kas_takes_the_kit_and_builds_the_board(port: Path) -> None:
    found = _dump(port)

    assert (found["machine"], found["target"]) == ("gate", "ota-image-minimal")
    own = found["local_conf_header"]["ota-board"].strip()
    assert own == "require conf/machine/include/ota-gate.inc"
    assert set(found["repos"]) == {*ELSEWHERE, "gate"}


def _dump(port: Path) -> dict[str, Any]:
    """Run kas on the page's file, with this kit and empty folders for other repositories."""
    repos: dict[str, Any] = {}
    for name in ELSEWHERE:
        path = ROOT if name == "ota-kit" else port / "work" / name
        path.mkdir(parents=True, exist_ok=True)
        repos[name] = {"url": None, "branch": None, "path": str(path)}
    overlay = {"header": {"version": 14}, "repos": repos}
    (port / "here.yml").write_text(yaml.safe_dump(overlay))
    files = ":".join(str(port / name) for name in ("kas.yml", "here.yml"))
    argv = (Path(sys.executable).with_name("kas"), "dump", "--format", "json", files)
    try:
        said = run(argv, timeout=60, environment={"KAS_WORK_DIR": str(port / "work")})
    finally:
        (port / "here.yml").unlink()
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.mark.full
@pytest.mark.timeout(900)  # [s] two parses on a busy machine
@requires_bitbake
@pytest.mark.parametrize("release", RELEASES)
def test_bitbake_finds_the_board_in_its_own_tree(port: Path, release: str) -> None:
    with tempfile.TemporaryDirectory(prefix="ota-bitbake-") as name:
        place = Path(name)
        place.chmod(0o755)
        build = masked(place / "build", release, "beaglebone-black")
        _for_the_port(build, port)

        said = build.bitbake("-p")
        image = ROOT / "meta-ota" / "recipes-ota" / "images" / "ota-image-minimal.bb"
        environment = build.bitbake("-e", "-b", str(image)).splitlines()

    assert " 0 errors." in said
    assert "BBFILE_PATTERN_gate" not in said  # a layer without recipes may be one
    assert f'OTA_BOARD_FOLDER="{port}/boards/gate"' in environment
    assert 'IMAGE_ROOTFS_MAXSIZE="1048576"' in environment


@pytest.mark.full
@pytest.mark.timeout(LIMIT + 60)
@requires_bitbake
@pytest.mark.parametrize("release", RELEASES[-1:])
def test_its_image_is_planned(port: Path, release: str) -> None:
    build = work_folder(release)
    build.configure(configuration(release, "beaglebone-black"), QUICK)
    _for_the_port(build, port)

    expect_planned(build, "ota-image-minimal")


def _for_the_port(build: BuildFolder, port: Path) -> None:
    """Make a build directory of BeagleBone Black build the made-up board."""
    layers, local = (build.folder / "conf" / name for name in ("bblayers.conf", "local.conf"))
    own = ROOT / "meta-ota"
    layers.write_text(layers.read_text().replace(f"{own}", f"{own} {port}/meta-gate"))
    text = local.read_text().replace('"beaglebone-yocto"', '"gate"')
    local.write_text(text.replace("ota-beaglebone-black.inc", "ota-gate.inc"))
