# SPDX-License-Identifier: Apache-2.0
"""U-Boot is compiled by its recipe and our append, and keeps the contract in QEMU.

BitBake unpacks, patches, configures and compiles it in the version of each release, with the
patches of openembedded-core and ours; the compiler and the programs on the host are Debian's. The
source is `u-boot` in the release's folder of $OE_ROOT, see bitbake.py. Then tests/boot runs with
the result.
"""

import os
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_board.load import load_board
from ota_board.u_boot import default_environment, missing, needed
from ota_image.firmware.u_boot import tree_version
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.yocto.bitbake import NOBODY, OE_ROOT, RELEASES, BuildFolder, Configuration
from tests.yocto.host import requires_selftest

BOARD = ROOT / "boards" / "qemu-arm64"
COMPILE_TIME = 1800.0  # [s] on a busy machine
_TOOLS = "ar as cpp gcc ld ld.bfd nm objcopy objdump ranlib readelf strip"
_HOST = "bc bison cc dtc flex openssl pkg-config swig xxd"

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(3600),  # [s] on a busy machine
    requires_selftest,
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The recipe's output.

    Attributes:
        folder: has ``u-boot.bin``, ``.config`` and ``u-boot.env``, the default environment.
        version: of the recipe.
        patches: the names of those that were applied.
    """

    folder: Path
    version: str
    patches: tuple[str, ...]


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    source = OE_ROOT / name / "u-boot"
    if not (source / "Makefile").is_file():
        pytest.skip(f"no {source}: a source tree of U-Boot, of the version in {name}")
    return name


@pytest.fixture(scope="module")
def place(release: str) -> Iterator[Path]:
    """A folder that the user nobody can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix=f"ota-u-boot-{release}-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def build(place: Path, release: str) -> BuildFolder:
    """A build directory of our test distribution, with the recipe of U-Boot."""
    source = OE_ROOT / release / "u-boot"
    core = OE_ROOT / release / "openembedded-core" / "meta"
    layers = (core, ROOT / "meta-ota", Path(__file__).with_name("meta-selftest"))
    repository, commit = _repository(source, place / "u-boot.git")
    tools = " ".join(f"aarch64-linux-gnu-{tool}" for tool in _TOOLS.split())
    made = BuildFolder(place / "build", release)
    made.configure(
        Configuration(
            layers,
            'MACHINE = "qemuarm64"\nDISTRO = "ota-selftest"\nCONF_VERSION = "2"\n'
            "require conf/machine/include/ota-qemu-arm64.inc\n"
            f'SELFTEST_MODULES = "{sysconfig.get_path("purelib")}"\n'
            f'SELFTEST_U_BOOT = "{source.resolve()}"\n'
            'CONNECTIVITY_CHECK_URIS = ""\nBB_NO_NETWORK = "1"\n',
        ),
        'BBMASK:forcevariable = "/openembedded-core/meta/recipes-(?!bsp/u-boot/u-boot_)'
        ' /meta-ota/recipes-(bsp/grub|kernel)/ /meta-selftest/recipes/firmware-"\n'
        'PREFERRED_PROVIDER_virtual/bootloader:forcevariable = "u-boot"\n'
        'ASSUME_PROVIDED += "^(bc|bison|dtc|flex|gnutls|ncurses|openssl|pkgconf(ig)?|swig)-native$'
        ' ^python3-(pyelftools|setuptools)-native$ ^xxd-native$"\n'
        f'HOSTTOOLS += "{tools} {_HOST}"\n'
        'TARGET_PREFIX:pn-u-boot = "aarch64-linux-gnu-"\n'
        'TOOLCHAIN_OPTIONS:pn-u-boot = ""\n'
        'DEBUG_PREFIX_MAP:pn-u-boot = ""\n'  # has an option that Debian's compiler lacks
        'PATCHTOOL:pn-u-boot = "patch"\n'
        f'SRCREV:pn-u-boot:forcevariable = "{commit}"\n'
        'PREMIRRORS:prepend = "git://source.denx.de/u-boot/u-boot.git'
        f' git://{repository};protocol=file "\n',
    )
    return made


def _repository(source: Path, path: Path) -> tuple[Path, str]:
    """A repository that has a source tree as its one commit; the repository and the commit."""
    settings = ("user.name=ota", "user.email=ota@otakit.example", "core.bare=false", "gc.auto=0")
    options = [word for setting in settings for word in ("-c", setting)]
    git = ("git", *options, f"--git-dir={path}", f"--work-tree={source}")
    run(("git", "init", "--quiet", "--bare", "--initial-branch=master", path), timeout=30)
    run((*git, "add", "--force", "."), timeout=300)
    run((*git, "commit", "--quiet", "-m", "as it came"), timeout=60)
    run((*git, "tag", f"v{tree_version(source)}"), timeout=30)
    if os.geteuid() == 0:
        for each in (path, *path.rglob("*")):
            os.chown(each, NOBODY, NOBODY)
    return path, run((*git, "rev-parse", "HEAD"), timeout=30).decode().strip()


@pytest.fixture(scope="module")
def compiled(build: BuildFolder, place: Path) -> Compiled:
    """Compile it; BitBake keeps the log."""
    build.bitbake("u-boot", "-c", "deploy", timeout=COMPILE_TIME)
    work = build.made_of("u-boot")
    folder = place / "compiled"
    folder.mkdir()
    for name in ("build/u-boot.bin", "build/.config", "ota-rendered/u-boot.env"):
        shutil.copyfile(work / name, folder / Path(name).name)
    log = (work / "temp" / "log.do_patch").read_text("utf-8", "replace")
    patches = re.findall(r"Applying patch '([^']+)'", log)
    return Compiled(folder, work.name.partition("-")[0], tuple(patches))


@pytest.mark.shows("U-Boot compiled", board="qemu-arm64")
def test_the_recipe_compiles_it_as_the_board_needs_it(compiled: Compiled, release: str) -> None:
    board = load_board(BOARD)

    assert compiled.version == tree_version(OE_ROOT / release / "u-boot")
    configuration = (compiled.folder / ".config").read_text()
    assert missing(needed(board, BOARD), configuration) == []
    wanted = default_environment(board, BOARD)
    assert (compiled.folder / "u-boot.env").read_text() == wanted
    assert b"mender_boot_part=2\0" in (compiled.folder / "u-boot.bin").read_bytes()


def test_compiling_our_environment_does_not_depend_on_the_host(build: BuildFolder) -> None:
    said = build.bitbake("-e", "u-boot")

    (depends,) = re.findall(r'^DEPENDS="(.*)"$', said, re.MULTILINE)
    assert {"xxd-native", "python3-ota-board-native"} <= set(depends.split())


def test_our_patch_is_for_older_versions_alone(compiled: Compiled) -> None:
    ours = [name for name in compiled.patches if "SYS_EARLY_PCI_INIT" in name]

    assert len(ours) == (compiled.version < "2026.01")
    assert [name for name in compiled.patches if name.startswith("CVE-")]


def test_what_kconfig_drops_stops_the_build(
    build: BuildFolder, compiled: Compiled, place: Path
) -> None:
    boards = place / "boards"
    shutil.copytree(BOARD, boards / BOARD.name)
    with (boards / BOARD.name / "u-boot.cfg").open("a") as fragment:
        fragment.write("CONFIG_OF_ANOTHER_VERSION=y\n")
    with (build.folder / "conf" / "local.conf").open("a") as local:
        local.write(f'OTA_BOARDS = "{boards}"\n')

    with pytest.raises(ProgramError, match="CONFIG_OF_ANOTHER_VERSION"):
        build.bitbake("u-boot", "-c", "configure", timeout=COMPILE_TIME)


def test_it_keeps_the_contract_in_qemu(compiled: Compiled) -> None:
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/boot")
    environment = {"UBOOT_BUILT": str(compiled.folder)}
    shell = ("sh", "-c", 'cd "$0" && exec "$@"', ROOT)

    said = run((*shell, *words), timeout=COMPILE_TIME, environment=environment).decode()

    assert re.search(r"^\d+ passed", said, re.MULTILINE), said
    assert "failed" not in said
