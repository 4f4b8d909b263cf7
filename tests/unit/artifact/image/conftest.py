# SPDX-License-Identifier: Apache-2.0
"""Images as the fixtures give them: made by the real tools, a few MiB each."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

MIB = 1 << 20

_PACKAGES = {
    "debugfs": "e2fsprogs",
    "mke2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "fsck.vfat": "dosfstools",
    "sfdisk": "fdisk",
}

Tool = Callable[..., str]


@pytest.fixture(scope="session")
def tool() -> Tool:
    """Run a program of another project; skip the test where it is missing."""

    def call(name: str, *arguments: str | Path, stdin: str = "", success: int | None = 0) -> str:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"no {name} here: apt-get install {_PACKAGES.get(name, name)}")
        done = subprocess.run(  # noqa: S603
            (program, *arguments), input=stdin, capture_output=True, text=True, timeout=60
        )
        assert success is None or done.returncode == success, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture
def make_ext(tool: Tool, tmp_path: Path) -> Callable[..., Path]:
    """Make an ext image of a small tree: /etc/hostname, /usr/bin/app (0755), and links."""

    def make(name: str = "root.ext4", *options: str, kind: str = "ext4", size: str = "4M") -> Path:
        tree = tmp_path / f"{name}.tree"
        (tree / "etc").mkdir(parents=True)
        (tree / "usr" / "bin").mkdir(parents=True)
        (tree / "etc" / "hostname").write_text("old\n")
        (tree / "etc" / "hostname").chmod(0o640)
        (tree / "usr" / "bin" / "app").write_bytes(b"\x7fELF" + bytes(5000))
        (tree / "usr" / "bin" / "app").chmod(0o755)
        (tree / "bin").symlink_to("usr/bin")
        (tree / "conf").symlink_to("/etc")
        (tree / "name").symlink_to("conf/hostname")
        (tree / "loop").symlink_to("loop")
        (tree / "out").symlink_to("../../../../etc/hostname")
        image = tmp_path / name
        tool("mke2fs", "-q", "-t", kind, "-E", "root_owner=0:0", *options, "-d", tree, image, size)
        return image

    return make


@pytest.fixture
def ext4(make_ext: Callable[..., Path]) -> Path:
    """An ext4 image of 4 MiB."""
    return make_ext()


@pytest.fixture
def vfat(tool: Tool, tmp_path: Path) -> Path:
    """A vfat image of 4 MiB with nothing in it."""
    image = tmp_path / "boot.vfat"
    with image.open("wb") as file:
        file.truncate(4 * MIB)
    tool("mkfs.vfat", "-i", "12345678", "-n", "BOOT", image)
    return image


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of the host that is to go into an image, with mode 0644."""
    file = tmp_path / "source"
    file.write_text("new\n")
    file.chmod(0o644)
    return file


@pytest.fixture
def make_disk(tool: Tool, tmp_path: Path, make_ext: Callable[..., Path], vfat: Path) -> Tool:
    """Make a disk image: boot, slots A and B (B empty unless asked for), data."""

    def make(name: str = "disk.sdimg", *, label: str = "dos", both: bool = True) -> str:
        disk = tmp_path / name
        with disk.open("wb") as file:
            file.truncate(24 * MIB)
        script = f"label: {label}\n" + "".join(
            f"start={start * 2048}, size={4 * 2048}\n" for start in (1, 6, 11, 16)
        )
        tool("sfdisk", "-q", "--no-reread", "--no-tell-kernel", disk, stdin=script)
        root, data = make_ext("a.ext4"), make_ext("data.ext4")
        with disk.open("r+b") as file:
            for start, part in ((1, vfat), (6, root), (11, root if both else None), (16, data)):
                if part:
                    file.seek(start * MIB)
                    file.write(part.read_bytes())
        return str(disk)

    return make
