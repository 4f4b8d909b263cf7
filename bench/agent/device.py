# SPDX-License-Identifier: Apache-2.0
"""The root filesystem of slot A: the packages of the minimal image, our agent, Mender's client.

Python and the modules that it imports are Debian's packages, with byte code, as in our images. The
libraries that make the agent faster on a host are left out.
"""

import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import key_of, make_once
from ota_image.packages.apt import AptRoot, Package, download
from ota_image.packages.deb import open_deb, verify_file
from ota_image.packages.recipe import find_recipe, load_recipe, recipe_folders
from ota_image.packages.sources import ANY_SOURCE, archives
from ota_image.rootfs.agent import add_agent, tree_wheels
from ota_image.rootfs.bytecode import add_bytecode
from ota_image.rootfs.mkfs import Ext4, write_ext4
from ota_image.rootfs.python import Python, python_for
from ota_image.rootfs.system import add_applets, add_certificates
from ota_image.rootfs.tree import Tree
from ota_image.rootfs.wheel import Wheel

SIZE = 512 << 20
"""Of a slot [B]."""

SHOWN = ("python3-minimal", "python3-urllib3", "mender-client", "libubootenv-tool")
"""Packages whose versions a result shows."""

_MENDER = "mender-client"
_UUID = "9b0f6f0e-6f5c-4d2a-8a53-7f1d0f3a6c55"  # any
_FOLDERS = ("/data", "/dev", "/proc", "/sys", "/run/lock", "/tmp", "/var/lib/mender", "/etc/ota")  # noqa: S108
_PLACES = {"/var/lock": "/run/lock", "/etc/mtab": "../proc/self/mounts"}
_IDENTITY = "#!/bin/sh\necho mac=02:00:00:00:00:01\n"
_IDENTITIES = (
    "/usr/share/mender/identity/mender-device-identity",
    "/usr/share/bench/identity/identity",
)


@dataclass(frozen=True, slots=True)
class Device:
    """The system that is measured.

    Attributes:
        image: an ext4 filesystem of `SIZE`; it stays in the cache, and each run uses a copy.
        versions: of the packages that are `SHOWN`, by name.
    """

    image: Path
    versions: dict[str, str]


def device(say: Callable[[str], None], suite: str = "") -> Device:
    """The root filesystem, from the cache or newly made.

    Args:
        suite: Debian's; empty for the one that images have by default.

    Raises:
        ImageError: a package is not available.
        ProgramError: a program that makes it is missing or fails; or there is no network.
        OSError: no space.
    """
    arch = run(("dpkg", "--print-architecture"), timeout=30).decode().strip()
    recipe = load_recipe(find_recipe("minimal", recipe_folders(None)), suite)
    apt = AptRoot(arch, archives(recipe.suite))
    packages = apt.resolve([*recipe.packages, _MENDER])
    wheels = tree_wheels()
    digests = [*(each.sha256 for each in packages), *(each.sha256 for each in wheels)]
    python = python_for(packages, recipe, ANY_SOURCE, say)
    key = key_of(Path(__file__).read_bytes(), python.identity, *digests)
    with make_once(f"bench/device-{key}") as (folder, workplace):
        if workplace:
            say(f"making the device's root filesystem, once: {len(packages)} packages")
            download(apt, packages, say)
            with tempfile.TemporaryDirectory(prefix="ota-bench-") as contents:
                _make(workplace / "slot.ext4", Tree(Path(contents)), packages, wheels, arch, python)
    versions = {each.name: each.version for each in packages if each.name in SHOWN}
    return Device(folder / "slot.ext4", versions)


def _make(
    image: Path,
    tree: Tree,
    packages: Sequence[Package],
    wheels: Sequence[Wheel],
    arch: str,
    python: Python,
) -> None:
    time = 1
    for package in packages:
        with open_deb(verify_file(package)) as tar:
            time = max(time, tree.add_tar(tar))
    add_applets(tree)
    add_certificates(tree)
    for path in _FOLDERS:
        tree.add_folder(path)
    for path, target in _PLACES.items():
        tree.add_link(path, target)
    for path in _IDENTITIES:
        tree.add_file(path, _IDENTITY, 0o755)
    add_agent(tree, wheels, arch)
    add_bytecode(tree, python, lambda _: None)
    write_ext4(tree, image, Ext4(size=SIZE, label="rootfs", uuid=str(uuid.UUID(_UUID)), time=time))
