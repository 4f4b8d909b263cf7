# SPDX-License-Identifier: Apache-2.0
"""Features one by one, and the recipes to copy, run under BitBake: `make test-yocto OE_ROOT=…`.

They use the distribution of selftest.py, which says what it needs of the host.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ota_artifact.cli.main import main
from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_artifact.size import MIB
from ota_image.disk.image import open_disk
from ota_image.doctor.examine import examine
from ota_image.packages.recipe import find_recipe, fitted, load_recipe, recipe_folders
from tests.house.tree import ROOT
from tests.system.images import Image
from tests.yocto.bitbake import RELEASES, BuildFolder
from tests.yocto.host import requires_selftest
from tests.yocto.selftest import Build, inputs

TARGETS = ("ota-image-plain", "ota-image-product", "ota-example-settings")
_FILE = yaml.safe_load((ROOT / "meta-ota" / "kas" / "signed.yml").read_text("utf-8"))
SIGNED: str = _FILE["local_conf_header"]["ota-signed"]
"""The settings of signed.yml."""

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(3600),  # [s] the first one waits for BitBake, U-Boot and packages
    requires_selftest,
]


@pytest.fixture(scope="module", params=RELEASES)
def build(request: pytest.FixtureRequest) -> Iterator[Build]:
    """A build directory for each release, in which all tests build."""
    with tempfile.TemporaryDirectory(prefix="ota-features-") as name:
        place = Path(name)  # the user nobody cannot enter pytest's own folders
        place.chmod(0o755)
        made = Build(BuildFolder(place / "build", request.param), inputs("qemu-arm64", place))
        made.configure('OTA_COMPRESSION = "none"\n')  # lzma takes a minute for each image
        made.bitbake(*TARGETS)
        yield made


@pytest.fixture
def plain(build: Build) -> Image:
    return build.image("ota-image-plain", "1.0")


@pytest.fixture
def product(build: Build) -> Image:
    return build.image("ota-image-product", "1.0")


def text(image: Image, path: str, capsys: pytest.CaptureFixture[str]) -> str | None:
    """A file of slot A; None if it is not there."""
    code = main(["cat", f"{image.built.image}:{path}"])
    said = capsys.readouterr().out
    return said if code == 0 else None


def header(artifact: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The description of an artifact."""
    assert main(["read", "--json", "--no-progress", str(artifact)]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_without_features_an_image_starts_its_own_init_and_mounts_by_fstab(
    plain: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text(plain, "/usr/lib/ota/init", capsys) is None
    assert text(plain, "/etc/ota/board", capsys) is None
    assert "/dev/mmcblk0p4 /data ext4 defaults 0 2\n" in (text(plain, "/etc/fstab", capsys) or "")


def test_a_slot_has_room_for_systemd_as_that_of_the_image_debian(plain: Image) -> None:
    recipe = load_recipe(find_recipe("debian", recipe_folders(None)))
    same = fitted(plain.board, recipe).layout

    found = {part.name: (part.offset, part.size) for part in open_disk(plain.built.image).parts}
    assert found == {area.name: (area.offset, area.size) for area in same.partitions}
    assert found["A"][1] == 256 * MIB
    hazards = examine(plain.built.image, plain.board, artifact=plain.built.artifact)
    assert {each.hazard for each in hazards} <= {"no-verification-key", "open-login"}


def test_a_file_that_was_deployed_is_on_the_boot_partition(build: Build, product: Image) -> None:
    boot = product.built.image.with_suffix(".bootimg")
    (deployed,) = build.at.folder.glob("tmp*/deploy/images/*/vmlinuz")

    found = run(("mcopy", "-n", "-i", boot, "::/vmlinuz", "-"), timeout=60)

    assert found == deployed.read_bytes()


def test_one_feature_brings_no_other(product: Image, capsys: pytest.CaptureFixture[str]) -> None:
    assert "OTA_FEATURES='machine-id'\n" in (text(product, "/etc/ota/board", capsys) or "")
    assert text(product, "/etc/machine-id", capsys) == ""
    assert (text(product, "/usr/lib/ota/init", capsys) or "").startswith("#!/bin/sh\n")
    assert "/data ext4 noauto 0 0\n" in (text(product, "/etc/fstab", capsys) or "")


def test_a_state_script_is_in_the_update_file_or_on_the_device_by_its_state(
    product: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    said = header(product.built.artifact, capsys)

    assert "ArtifactInstall_Enter_10_quiet" in json.dumps(said)
    assert "Download_Enter_00_room" not in json.dumps(said)
    script = text(product, "/etc/ota/scripts/Download_Enter_00_room", capsys)
    assert (script or "").startswith("#!/bin/sh\n")
    assert text(product, "/etc/ota/scripts/ArtifactInstall_Enter_10_quiet", capsys) is None


def test_what_a_product_adds_to_the_configuration_has_the_last_word(
    plain: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    said = text(plain, "/etc/ota/agent.toml", capsys) or ""

    assert said.startswith("[device]\n")
    assert said.endswith("[polling]\nupdate = 3600\n")


def test_the_update_module_is_where_the_agent_looks(
    product: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    module = text(product, "/usr/share/ota/modules/v3/motd", capsys)

    assert "SupportsRollback" in (module or "")


def test_an_update_file_for_a_module_is_deployed_without_an_image(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    (artifact,) = build.at.folder.glob("tmp*/deploy/images/*/ota-example-settings-1.0.mender")

    said = header(artifact, capsys)
    names = {"dest_dir", "filename", "permissions", "product.conf"}
    assert all(name in json.dumps(said) for name in (*names, "single-file", "qemu-arm64"))


@pytest.mark.parametrize("features", ["sysvinit", "systemd usrmerge"])
def test_nothing_of_the_agent_is_left_out_of_its_packages(build: Build, features: str) -> None:
    folder = build.at.folder.with_name("packages")
    other = Build(BuildFolder(folder, build.at.release), build.inputs)
    other.configure(
        f'SSTATE_DIR = "{build.at.folder}/sstate-cache"\n'
        f'DISTRO_FEATURES:forcevariable = "{features}"\n'
        'ASSUME_PROVIDED += "initscripts systemd-systemctl-native update-rc.d"\n'
    )

    said = other.bitbake("-c", "package", "ota-agent", "ota-init")

    packaged = other.at.made_of("ota-agent") / "package"
    assert any(packaged.rglob("ota-agent.service")) == ("systemd" in features)
    assert (packaged / "etc/init.d/ota-agent").is_file() == ("sysvinit" in features)
    assert "ERROR" not in said
    other.at.remove()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('OTA_SLOT_SIZE = "256 MiB"', "OTA_SLOT_SIZE: 256 MiB is not a number of bytes"),
        ('OTA_FEATURES = "grwo"', "OTA_FEATURES has grwo; known are grow, machine-id, persist"),
        ('OTA_SIGNING_KEY = "key.pem"', "OTA_SIGNING_KEY: key.pem is not the full path of a file"),
        (SIGNED, "OTA_SIGNING_KEY: nothing is not the full path of a file"),
        ('OTA_SECURITY_VERSION = "1.2"', "OTA_SECURITY_VERSION: '1.2' is not a number"),
        ('OTA_VERIFY_KEYS = "/no.pem"', "OTA_VERIFY_KEYS: /no.pem is not the full path of a file"),
        (
            'OTA_SCRIPTS:pn-ota-example-scripts = "ArtifactInstall_Before_1"',
            "OTA_SCRIPTS: ArtifactInstall_Before_1; write a name like ArtifactInstall_Enter_50",
        ),
    ],
    ids=("slot-size", "feature", "signing-key", "no-key", "number", "verify-key", "script"),
)
def test_what_is_set_wrongly_stops_the_build_and_is_named(
    build: Build, settings: str, said: str
) -> None:
    other = Build(BuildFolder(build.at.folder.with_name("wrong"), build.at.release), build.inputs)
    other.configure(settings)

    with pytest.raises(ProgramError, match=said):
        other.bitbake("-p")
    other.at.remove()
