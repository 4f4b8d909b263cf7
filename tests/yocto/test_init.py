# SPDX-License-Identifier: Apache-2.0
"""The script that the recipe ota-init puts before init, with Debian's systemd.

The tests change /etc as the class does; they do not need BitBake.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_board.device import device_settings, shell_text
from ota_board.load import load_board
from ota_board.render import fstab
from ota_image.build import build
from ota_image.errors import WorldError
from ota_image.firmware.u_boot import u_boot_of
from ota_image.packages.recipe import find_recipe, fitted, load_recipe, recipe_folders
from ota_image.rootfs.agent import tree_wheels
from ota_image.rootfs.settings import Settings, read_ssh_keys
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.system.images import Image, ssh_key
from tests.system.running import Running, running
from tests.system.test_debian_image import expect_sound, fill_slot_b
from tests.system.u_boot_cycle import commit, try_b

BOARD = ROOT / "boards" / "qemu-arm64"
INIT = ROOT / "meta-ota" / "recipes-ota" / "ota-init" / "files" / "init"
CLASS = ROOT / "meta-ota" / "classes-recipe" / "ota-features.bbclass"
FEATURES = "grow machine-id persist watchdog"
UP = 600.0  # [s] until systemd is done, under emulation and load

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(3600),  # [s] the first one waits for mmdebstrap under emulation
    requires_program("mmdebstrap", package="mmdebstrap"),
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]


def overlay(folder: Path, features: str, settings: dict[str, str]) -> Path:
    """The files of a Yocto image that replace the debian image's own init."""
    own = folder / "usr/lib/ota"
    (own / "next").mkdir(parents=True)
    shutil.copyfile(INIT, own / "init")
    (own / "init").chmod(0o755)  # as the recipe installs it
    (own / "next" / "init").symlink_to("/usr/lib/systemd/systemd")
    generator = "lib/systemd/system-generators/systemd-fstab-generator"
    (folder / "etc/systemd/system-generators").mkdir(parents=True)
    (folder / "etc" / generator.removeprefix("lib/")).symlink_to(f"/usr/{generator}")
    product = folder / "etc/product"
    product.mkdir()
    (product / "settings").write_text("the slot's\n")
    patience = folder / "etc/systemd/system.conf.d/patience.conf"  # a busy host is not a failure
    patience.parent.mkdir()
    patience.write_text("[Manager]\nDefaultTimeoutStartSec=600\nDefaultDeviceTimeoutSec=600\n")
    (folder / "etc/ota").mkdir()
    own_settings = {
        "OTA_FEATURES": features,
        "OTA_PERSISTENT_FOLDERS": "/etc/absent /etc/product /root",
        "OTA_CLOCK": "1520598896",
        "OTA_DROPBEAR": "-s",
    }
    (folder / "etc/ota/board").write_text(shell_text({**settings, **own_settings}))
    return folder


def change_as_the_class_does(table: Path) -> None:
    """Change an fstab with the class's own command."""
    (expression,) = re.findall(r"sed -i -e '(.+)' \$root\$\{sysconfdir\}/fstab", CLASS.read_text())
    run(("sed", "-i", "-e", expression, table), timeout=30)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    recipe = load_recipe(find_recipe("debian", recipe_folders(None)))
    board, key = fitted(load_board(BOARD), recipe), ssh_key()
    own = overlay(tmp_path_factory.mktemp("overlay"), FEATURES, device_settings(board))
    # The first line is that of OpenEmbedded's base-files.
    (own / "etc/fstab").write_text(f"/dev/root / auto defaults 1 1\n{fstab(board)}")
    change_as_the_class_does(own / "etc/fstab")
    keys = read_ssh_keys(key.with_suffix(".pub"))
    settings = Settings(ssh_keys=keys, overlays=(own,), wheels=tree_wheels())
    output = tmp_path_factory.mktemp("debian")
    try:
        built = build(board, BOARD, recipe, settings, output, with_parts=True, say=print)
    except WorldError as error:
        if "does not run programs" in str(error):
            pytest.skip(str(error))
        raise
    return Image(
        board=board,
        built=built,
        firmware=u_boot_of(board, BOARD, None, print).folder / "u-boot.bin",
        key=key,
    )


def machine_id(board: Running) -> str:
    return board.ssh("systemd-id128 machine-id").strip()


def test_a_device_keeps_its_identity_and_what_it_was_told_to_keep(
    image: Image, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    fill_slot_b(image, disk)
    os.truncate(disk, 2 * image.board.layout.size)

    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A", timeout=UP)
        expect_sound(board)
        assert "init daemon" in board.ssh("/sbin/init --help")  # not as process 1: the next init
        factory = machine_id(board)
        assert len(factory) == 32
        room = int(board.ssh("df --block-size 1 --output=size /data | tail -n 1"))
        assert room > image.board.layout.partition("data").size
        assert board.ssh("cat /etc/product/settings") == "the slot's\n"
        assert board.ssh("stat -c %a /etc/product /root") == "755\n700\n"
        board.ssh("echo mine >/etc/product/settings; echo new >/etc/product/more; sync")

        try_b(board)
        board.comes_up_on("B", timeout=UP)
        expect_sound(board)
        assert machine_id(board) == factory
        assert board.ssh("cat /etc/product/settings /etc/product/more") == "mine\nnew\n"
        commit(board)
        board.restart()
        board.comes_up_on("B", timeout=UP)
        assert machine_id(board) == factory
