# SPDX-License-Identifier: Apache-2.0
"""Kernel packages that lack something, or have too much: each is refused in one sentence."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.errors import ImageError
from ota_image.packages.apt import Package, package_file
from ota_image.rootfs.kernel import add_kernel
from ota_image.rootfs.tree import Tree
from tests.conftest import requires_program
from tests.unit.image.hardware.boards import ALIASES, MODULES, SOURCE, compiled, image_of
from tests.unit.image.rootfs.test_board_modules import board
from tests.unit.image.rootfs.test_modules import module

pytestmark = [
    requires_program("dtc", package="device-tree-compiler"),
    requires_program("dpkg-deb", package="dpkg"),
    requires_program("depmod", package="kmod"),
]

VERSION = "6.1.0-1"
TREE = f"usr/lib/linux-image-{VERSION}/am335x-boneblack.dtb"


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """What the package of a kernel for the small board has."""
    content = tmp_path / "content"
    modules = content / "lib" / "modules" / VERSION
    files = {
        content / "boot" / f"vmlinuz-{VERSION}": image_of(),
        content / TREE: compiled(SOURCE),
        modules / "modules.builtin": b"kernel/drivers/tty/serial/omap-serial.ko\n",
        content / "DEBIAN" / "control": (
            f"Package: linux-image-{VERSION}\nVersion: 1\nArchitecture: armhf\n"
            "Maintainer: Nobody <nobody@example.org>\nDescription: nothing\n"
        ).encode(),
    }
    words = [line.split() for line in ALIASES.splitlines()]
    for name in (*MODULES, "acme_wdt", "smsc", "ext4"):
        own = (f"alias={each[1]}" for each in words if each[2].replace("-", "_") == name)
        files[modules / "kernel" / "drivers" / f"{name}.ko"] = module("depends=", *own)
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return content


def add(content: Path, folder: Path) -> None:
    """Add the kernel of a package with that content to a root filesystem."""
    file = folder / "kernel.deb"
    run(("dpkg-deb", "--root-owner-group", "-Znone", "-b", content, file), timeout=60)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    package = Package(name="linux-image", version="1", arch="armhf", sha256=sha256)
    place = package_file(package)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    workplace, files = folder / "workplace", folder / "files"
    workplace.mkdir()
    files.mkdir()
    add_kernel(
        Tree(files), board(), [package], modules=(), workplace=workplace, say=lambda text: None
    )


def lose_tree(content: Path) -> None:
    (content / TREE).rename(content / TREE.replace("boneblack", "bonegreen"))


def lose_tree_among_many(content: Path) -> None:
    lose_tree(content)
    for name in ("baltos-ir2110", "baltos-ir3220", "baltos-ir5221", "base0033", "bone"):
        (content / TREE).with_name(f"am335x-{name}.dtb").touch()


def lose_trees(content: Path) -> None:
    shutil.rmtree(content / "usr")


def lose_kernel(content: Path) -> None:
    shutil.rmtree(content / "boot")


def lose_modules(content: Path) -> None:
    shutil.rmtree(content / "lib")


def have_two_kernels(content: Path) -> None:
    shutil.copytree(content / "lib/modules" / VERSION, content / "lib/modules/6.2")


def damage_tree(content: Path) -> None:
    (content / TREE).write_bytes(b"<html>404</html>")


def damage_module(content: Path) -> None:
    (content / "lib/modules" / VERSION / "kernel/drivers/ext4.ko").write_bytes(b"ELF")


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lose_tree, r"no am335x-boneblack\.dtb; similar names are am335x-bonegreen\.dtb$"),
        (lose_tree_among_many, r"; similar names are am335x-bone\.dtb, am335x-bonegreen\.dtb"),
        (lose_trees, r"device_trees: kernel 6\.1\.0-1 has no am335x-boneblack\.dtb$"),
        (lose_kernel, r"linux-image 1: has modules of 6\.1\.0-1, and no /boot/vmlinuz-6\.1\.0-1$"),
        (lose_modules, r"must have modules of one kernel, and has none$"),
        (have_two_kernels, r"must have modules of one kernel, and has 6\.1\.0-1, 6\.2$"),
        (damage_tree, r"^am335x-boneblack\.dtb: is not a device tree; use another build"),
        (damage_module, r"/ext4\.ko: this kernel module is not an ELF file"),
    ],
)
def test_a_package_that_does_not_suit_the_board_is_refused_in_one_sentence(
    content: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    text: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spoil(content)

    with pytest.raises(ImageError, match=text):
        add(content, tmp_path)


def test_a_package_that_suits_the_board_lacks_only_the_busybox_of_the_initrd(
    content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with pytest.raises(ImageError, match="the initrd needs busybox-static"):
        add(content, tmp_path)
