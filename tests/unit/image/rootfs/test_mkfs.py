# SPDX-License-Identifier: Apache-2.0
"""A tree as an ext4 filesystem, examined with e2fsprogs."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from ota_artifact.image.workplace import find_program
from ota_artifact.run import run
from ota_board.size import MIB
from ota_image.errors import ImageError
from ota_image.rootfs.mkfs import FEATURES, Ext4, needed, write_ext4
from ota_image.rootfs.tree import Entry, Tree
from tests.conftest import requires_program

pytestmark = requires_program("debugfs", package="e2fsprogs")

FORM = Ext4(
    size=16 * MIB, label="rootfs", uuid="b9d4cf1c-6b0c-4a0e-8f5e-6d0f3d2a7c11", time=1_700_000_000
)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def filled(workplace: Path) -> Tree:
    """A tree with one entry of each kind."""
    workplace.mkdir()
    tree = Tree(workplace)
    tree.add_file("/bin/su", "su", 0o4755)
    tree.own("/bin/su", gid=7)
    tree.add_file("/etc/shadow", "secret", 0o640)
    tree.own("/etc/shadow", uid=3, gid=42)
    tree.add_file('/etc/a "quoted" name', "content")
    tree.add_folder("/srv", 0o1777)
    tree.add_link("/etc/mtab", "/proc/self/mounts")
    tree.add("/dev/console", Entry(kind="character", mode=0o600, device=(5, 1)))
    tree.add("/run/pipe", Entry(kind="fifo", mode=0o644))
    ping = tree.get("/bin/su")
    assert ping is not None
    attributes = (("security.capability", CAPABILITY),)
    tree.add(
        "/bin/ping", Entry(kind="file", mode=0o755, content=ping.content, attributes=attributes)
    )
    tree.add_file("/sbin/mke2fs", bytes(10_000), 0o755)
    same = tree.get("/sbin/mke2fs")
    assert same is not None
    tree.add("/sbin/mkfs.ext4", same)
    for number in range(300):
        tree.add_file(f"/usr/lib/many/{number}", "")
    return tree


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "slot.ext4"
    write_ext4(filled(tmp_path / "contents"), path, FORM)
    return path


def ask(image: Path, *commands: str) -> str:
    """What debugfs prints for commands."""
    program = find_program("debugfs", package="e2fsprogs")
    script = "".join(f"{command}\n" for command in commands)
    return run((program, "-f", "-", image), timeout=30, stdin=script.encode()).decode()


def test_owners_modes_and_links_are_as_in_the_tree(image: Path) -> None:
    said = ask(image, "stat /usr/bin/su", "stat /etc/shadow", "stat /srv", "stat /sbin/mkfs.ext4")

    su, shadow, srv, mkfs = said.split("debugfs: stat ")[1:]
    assert "Mode:  04755" in su
    assert "Group:     7" in su
    assert "Mode:  0640" in shadow
    assert "User:     3   Group:    42" in shadow
    assert "Mode:  01777" in srv
    assert "Links: 2" in mkfs


def test_special_files_are_as_in_the_tree(image: Path) -> None:
    said = ask(image, "stat /dev/console", "stat /run/pipe", "stat /etc/mtab")

    assert "Type: character special    Mode:  0600" in said
    assert "Device major/minor number: 05:01" in said
    assert "Type: FIFO    Mode:  0644" in said
    assert 'Fast link dest: "/proc/self/mounts"' in said


def test_capabilities_are_in_the_image(image: Path) -> None:
    said = ask(image, "ea_get -x /usr/bin/ping security.capability", "ea_list /usr/bin/su")

    assert CAPABILITY.hex(" ") in said
    assert "security" not in said.rpartition("ea_list")[2]


def test_contents_and_odd_names_are_whole(image: Path) -> None:
    said = ask(image, 'cat "/etc/a ""quoted"" name"', "ls -p /usr/lib/many")

    assert "content" in said
    assert said.count("/100644/0/0/") == 300


def test_the_filesystem_has_what_bootloaders_read_and_no_more(image: Path) -> None:
    said = run((find_program("dumpe2fs", package="e2fsprogs"), "-h", image), timeout=30).decode()

    line = next(line for line in said.splitlines() if line.startswith("Filesystem features:"))
    assert set(line.partition(":")[2].split()) == set(FEATURES)
    assert "Filesystem volume name:   rootfs" in said
    assert image.stat().st_size == FORM.size


@pytest.mark.parametrize("umask", [0o077, 0o002])
def test_modes_are_the_trees_whatever_the_umask_of_the_builder(
    image: Path, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        write_ext4(filled(tmp_path / "elsewhere"), tmp_path / "elsewhere.ext4", FORM)
    finally:
        os.umask(before)

    assert (tmp_path / "elsewhere.ext4").read_bytes() == image.read_bytes()


@pytest.mark.boot
def test_the_same_tree_gives_the_same_bytes(image: Path, tmp_path: Path) -> None:
    time.sleep(1.1 - time.time() % 1)  # into the next second, which would show
    again = tmp_path / "elsewhere.ext4"

    write_ext4(filled(tmp_path / "elsewhere"), again, FORM)

    assert (
        hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(image.read_bytes()).digest()
    )


def test_a_tree_that_is_too_large_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    tree = filled(tmp_path / "contents")
    tree.add_file("/large", b"x" * 20 * MIB)

    with pytest.raises(ImageError, match=r"needs about 2[56] MiB, and the slot has 16 MiB; leave"):
        write_ext4(tree, tmp_path / "slot.ext4", FORM)

    assert not (tmp_path / "slot.ext4").exists()


def test_a_name_with_a_line_break_is_refused(tmp_path: Path) -> None:
    tree = filled(tmp_path / "contents")
    tree.add_file("/etc/a\nrm /etc/shadow", "")

    with pytest.raises(ImageError, match="must not have a line break"):
        write_ext4(tree, tmp_path / "slot.ext4", FORM)


def test_folders_may_have_names_that_e2fsprogs_would_read(image: Path, tmp_path: Path) -> None:
    place = tmp_path / 'a ?b"c%'
    place.mkdir()

    write_ext4(filled(place / "contents"), place / "slot.ext4", FORM)

    assert (place / "slot.ext4").read_bytes() == image.read_bytes()


def test_the_needed_size_is_estimated_in_advance(image: Path, tmp_path: Path) -> None:
    said = run((find_program("dumpe2fs", package="e2fsprogs"), "-h", image), timeout=30).decode()
    numbers = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    used = (int(numbers["Block count"]) - int(numbers["Free blocks"])) * 4096

    assert abs(needed(filled(tmp_path / "again")) - used) <= 2 * MIB
