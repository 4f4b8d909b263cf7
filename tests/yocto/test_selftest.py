# SPDX-License-Identifier: Apache-2.0
"""The classes of meta-ota run under BitBake, and what they make boots: `make test-yocto OE_ROOT=…`.

They use a distribution that compiles nothing, see selftest.py; $OE_ROOT as in bitbake.py. In
addition to BitBake's own requirements it needs Debian's pseudo, apt-utils, python3-build,
python3-installer, python3-yaml and python3-cryptography.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.memory import needs_in
from ota_artifact.reader import open_artifact
from ota_image.disk.image import open_disk
from ota_image.disk.inspect import as_json, inspect
from ota_image.disk.slot import read_slot
from ota_image.doctor.examine import examine
from ota_image.doctor.memory import slot_needs
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.system import test_qemu_arm64, test_qemu_x86_64
from tests.system.images import Image, image_of
from tests.system.running import Running, running
from tests.system.test_agent import expect_agent
from tests.system.test_deployments import until
from tests.system.u_boot_cycle import go_through
from tests.yocto.bitbake import RELEASES, BuildFolder
from tests.yocto.host import requires_selftest
from tests.yocto.selftest import Build, Inputs, inputs

IMAGES = {"ota-image-minimal": "1.0", "ota-image-next": "2", "ota-image-panics": "3"}
"""The recipes that are built, and the release of each."""

# lzma takes a minute for each image; in slots of the board's own size an update is quicker.
SETTINGS = 'OTA_COMPRESSION = "none"\nOTA_SLOT_SIZE = "134217728"'
HOST_KEY = "sha256sum /etc/dropbear/dropbear_ed25519_host_key"
BOARDS = ("qemu-arm64", "qemu-x86-64")
ON_ARM64 = pytest.mark.parametrize("board", ["qemu-arm64"], indirect=True)

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(3600),  # [s] the first one waits for BitBake, U-Boot and packages
    requires_selftest,
    requires_program("qemu-system-x86_64", package="qemu-system-x86 ovmf"),
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("ssh", package="openssh-client"),
]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that the user nobody can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="ota-selftest-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=BOARDS)
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def given(place: Path, board: str) -> Inputs:
    return inputs(board, place)


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory, board: str) -> Image:
    """The image that `ota-image build` makes of the same board."""
    return image_of(board, tmp_path_factory.mktemp("debian"))


@pytest.fixture(scope="module")
def build(place: Path, release: str, given: Inputs) -> Iterator[Build]:
    """A build directory for each release and board, in which the images are built."""
    made = Build(BuildFolder(place / f"{release}-{given.board.name}", release), given)
    made.configure(SETTINGS)
    made.bitbake(*IMAGES)
    yield made
    made.at.remove()


@pytest.fixture
def image(build: Build) -> Image:
    return build.image("ota-image-minimal", IMAGES["ota-image-minimal"])


def beside(build: Build, name: str) -> Build:
    """Another build directory of the same, not yet configured."""
    folder = build.at.folder.with_name(f"{build.at.folder.name}-{name}")
    return Build(BuildFolder(folder, build.at.release), build.inputs)


def digest(path: Path, offset: int = 0, size: int = -1) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return hashlib.sha256(file.read(size)).hexdigest()


@pytest.mark.shows("ran")
def test_each_part_is_what_the_disk_image_has(image: Image) -> None:
    disk = image.built.image

    for kind, name in (("bootimg", "boot"), ("dataimg", "data")):
        area = image.board.layout.partition(name)
        assert digest(disk.with_suffix(f".{kind}")) == digest(disk, area.offset, area.size)
    assert disk.with_suffix(".sdimg.bmap").stat().st_size
    assert disk.stat().st_size == image.board.layout.size


def test_slot_a_is_the_payload(image: Image) -> None:
    test_qemu_arm64.test_slot_a_of_the_image_is_the_payload_of_the_artifact(image)


def test_the_layout_is_that_of_the_image_from_debian_packages(image: Image, debian: Image) -> None:
    ours, theirs = (as_json(inspect(each.built.image)) for each in (image, debian))

    assert ours["partitions"] == theirs["partitions"]
    assert ours["environment"] == theirs["environment"]


def test_the_doctor_finds_nothing(image: Image) -> None:
    hazards = examine(image.built.image, image.board, artifact=image.built.artifact)
    assert {each.hazard for each in hazards} <= {"no-verification-key", "open-login"}


def test_the_update_file_says_how_much_memory_its_slot_needs(image: Image) -> None:
    slot = read_slot(open_disk(image.built.image).slots[0])

    with image.built.artifact.open("rb") as file:
        found = [needs_in(each.header.meta_data) for each in open_artifact(file).payloads()]

    assert found == [slot_needs(slot) if image.board.bootloader.kind == "u-boot" else None]


def test_the_board_boots_falls_back_rolls_back_and_commits(image: Image, tmp_path: Path) -> None:
    if image.board.bootloader.kind == "u-boot":
        go_through(image, tmp_path)
    else:
        cycle = test_qemu_x86_64.test_the_board_boots_falls_back_rolls_back_and_commits
        cycle(image, tmp_path)


@pytest.mark.shows("booted")
def test_the_agent_brings_an_update_and_one_that_panics_does_not_stay(
    build: Build, tmp_path: Path
) -> None:
    first, good, ill = (build.image(*each) for each in IMAGES.items())
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(first.built.image, disk)
    with running(first.board, disk, first.firmware, first.key) as board:
        board.comes_up_on("A")
        board.ssh("until [ -S /run/ota/agent.sock ]; do sleep 0.5; done", timeout=600)
        expect_agent(board, runs=first.built.name)
        key = board.ssh(HOST_KEY)

        try_release(board, good)
        board.expect("OTA: trial boot of partition 3", timeout=120)
        board.comes_up_on("B")
        until(lambda: '"Proven"' in status(board), "healthy trial")
        assert " / ext4 ro," in board.ssh("cat /proc/mounts")
        assert board.ssh(HOST_KEY) == key  # kept on /data, over a slot's folder
        board.ssh("ota-agent commit")
        assert json.loads(status(board))["installed"] == good.built.name
        assert json.loads(status(board))["running_slot"] == "B"

        try_release(board, ill)
        board.expect("OTA: trial boot of partition 2", timeout=120)
        board.expect("Kernel panic", timeout=120)
        board.expect("was not committed, rolling back", timeout=120)
        board.comes_up_on("B")
        until(lambda: '"Idle"' in status(board), "end")
        said = json.loads(status(board))
        assert (said["installed"], said["result"]) == (good.built.name, "failure")
        assert said["running_slot"] == "B"


def try_release(board: Running, image: Image) -> None:
    """Install a release with the agent, and reboot into it."""
    artifact = image.built.artifact.read_bytes()
    board.way_in.run("cat >/data/update.mender", stdin=artifact, timeout=600)
    board.ssh("ota-agent install /data/update.mender && rm /data/update.mender", timeout=900)
    board.restart()


def status(board: Running) -> str:
    return board.ssh("ota-agent status --json")


@ON_ARM64
def test_two_builds_give_the_same_bytes(build: Build, image: Image) -> None:
    again = beside(build, "again")
    again.configure(SETTINGS)
    again.bitbake("ota-image-minimal")
    other = again.image("ota-image-minimal", IMAGES["ota-image-minimal"])

    assert digest(other.built.image) == digest(image.built.image)
    assert digest(other.built.artifact) == digest(image.built.artifact)
    again.at.remove()


@pytest.fixture
def spoilt(build: Build) -> Iterator[Build]:
    """Another build directory, for one with an error."""
    made = beside(build, "spoilt")
    yield made
    made.at.remove()


@ON_ARM64
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('OTA_KERNEL = "/boot/zImage"', "/boot/zImage is not in the root filesystem"),
        ('OTA_DEVICE_TREES = "a.dtb"', "/boot of the root filesystem has no a.dtb"),
        ('OTA_FIRMWARE = "MLO"', "its board.yaml needs the firmware MLO, which is in none of"),
        ('OTA_SLOT_SIZE = "67108864"', "exceeds IMAGE_ROOTFS_MAXSIZE: 65536"),
        ('OTA_BOARDS = "${TOPDIR}/boards"', r"environment 1 .* overlaps"),
    ],
    ids=("kernel", "device-tree", "firmware", "slot-too-small", "environment-in-a-partition"),
)
def test_what_would_not_boot_stops_the_build(
    build: Build, spoilt: Build, settings: str, said: str
) -> None:
    shutil.copytree(ROOT / "boards", spoilt.at.folder / "boards")
    file = spoilt.at.folder / "boards" / "qemu-arm64" / "board.yaml"
    file.write_text(file.read_text("utf-8").replace("0x400000,", "0x1800000,"), "utf-8")
    spoilt.configure(f'SSTATE_DIR = "{build.at.folder}/sstate-cache"\n{settings}\n')

    with pytest.raises(ProgramError, match=said):
        spoilt.bitbake("ota-image-minimal")
