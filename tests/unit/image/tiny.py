# SPDX-License-Identifier: Apache-2.0
"""A recipe of tiny packages, with its lock and its board: an image in a second, offline."""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.run import run
from ota_image.packages.apt import Package
from ota_image.packages.lock import IMAGE, Lock, lock_file, lock_text
from ota_image.packages.recipe import load_recipe
from tests.unit.image.disk.small import small_board_folder

KERNEL = "linux-image-cloud-amd64"
VERSION = "6.1.0-1-cloud-amd64"
_MODULES = f"/lib/modules/{VERSION}"
_BUILTIN = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
_PASSWD = b"root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/bin/false\n"
_PACKAGES: Mapping[str, Mapping[str, bytes]] = {
    "base-passwd": {
        "/usr/share/base-passwd/passwd.master": _PASSWD,
        "/usr/share/base-passwd/group.master": b"root:*:0:\nshadow:*:42:\n",
    },
    "busybox-static": {"/bin/busybox": b"\x7fELF [\0[[\0cat\0init\0ls\0sh\0\0"},
    "python3": {
        "/usr/lib/python3.11/one.py": b'"""One."""\nSIGNS = ("-", "?")\n',
        "/usr/lib/python3/dist-packages/two.py": b"import one\n\nprint(one.SIGNS)\n",
    },
    "unused": {"/usr/share/unused/text": b"not in the image\n"},
    KERNEL: {"/usr/share/doc/kernel": b"see the other package\n"},
    f"linux-image-{VERSION}": {
        f"/boot/vmlinuz-{VERSION}": b"MZ kernel",
        f"{_MODULES}/modules.builtin": "".join(f"kernel/{name}.ko\n" for name in _BUILTIN).encode(),
        f"{_MODULES}/modules.order": b"",
    },
}
_RECIPE = """\
schema: 1
name: tiny
summary: tiny
suites: {bookworm: {}}
packages: [base-passwd, busybox-static, python3, unused]
leave_out: [/usr/share/unused]
folders: [/data]
links: [{at: /etc/mtäb, to: /proc/self/mounts}]
"""


@dataclass(frozen=True, slots=True)
class Tiny:
    """What a build needs: folders with a board and a recipe, and the files of its packages."""

    boards: Path
    images: Path
    packages: Path

    def options(self) -> list[str]:
        """Those of `ota-image build qemu-x86-64` that name the folders."""
        folders = ["--boards", str(self.boards), "--images", str(self.images)]
        return [*folders, "--image", "tiny", "--without-agent"]

    def fill(self, cache: Path) -> None:
        """Put the packages into a cache, as if they had been downloaded."""
        shutil.copytree(self.packages, cache / "ota-kit" / "packages")


def make_tiny(place: Path) -> Tiny:
    """Make them in a folder."""
    made = Tiny(place / "boards", place / "images", place / "packages")
    made.images.mkdir()
    made.packages.mkdir()
    firmware = r"^firmware: .*\n.*grubx64.*$"
    slots = r"slots: \{size: \d+ MiB\}"
    changes = {firmware: "firmware: []", slots: "slots: {size: 16 MiB}"}
    small_board_folder(place, "qemu-x86-64", changes)
    (made.images / "tiny.yaml").write_text(_RECIPE, "utf-8")
    recipe = load_recipe(made.images / "tiny.yaml")
    needs = {KERNEL: f"Depends: linux-image-{VERSION} (= 1), initramfs-tools | dracut\n"}
    packages = [
        make_deb(made.packages, name, files, needs.get(name, ""))
        for name, files in _PACKAGES.items()
    ]
    groups = {IMAGE: tuple(packages[:4]), KERNEL: tuple(packages[4:])}
    lock_file(recipe, "amd64").write_text(lock_text(Lock(recipe.choice, groups)), "utf-8")
    return made


def make_deb(folder: Path, name: str, files: Mapping[str, bytes], needs: str = "") -> Package:
    """A package of files, named by its digest as in the cache."""
    work = folder / "work"
    work.mkdir()
    (work / "debian-binary").write_bytes(b"2.0\n")
    control = f"Package: {name}\nVersion: 1\nArchitecture: amd64\n{needs}"
    _tar(work / "control.tar", {"/control": control.encode()})
    _tar(work / "data.tar", files)
    members = [work / each for each in ("debian-binary", "control.tar", "data.tar")]
    run(("ar", "rcD", work / "deb", *members), timeout=30)
    sha256 = hashlib.sha256((work / "deb").read_bytes()).hexdigest()
    (work / "deb").rename(folder / f"{sha256}.deb")
    shutil.rmtree(work)
    return Package(name=name, version="1", arch="amd64", sha256=sha256)


def _tar(path: Path, files: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w", encoding="utf-8") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f".{name}")
            member.size, member.mtime = len(data), 1_700_000_000
            tar.addfile(member, io.BytesIO(data))
