# SPDX-License-Identifier: Apache-2.0
"""What is removed from ext4 goes with all that is its own, and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_artifact.image.ext4 import ExtFilesystem
from tests.unit.artifact.image.conftest import Tool
from tests.unit.artifact.image.ext4_files import field, require_sound, text_of


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
def test_recursive_removal_leaves_no_orphan(
    make_ext: Callable[..., Path], tool: Tool, kind: str
) -> None:
    image = make_ext(kind=kind)
    script = "".join(
        f"mkdir /tree/{n}\nwrite /etc/passwd x{n}\nlink x{n} /tree/{n}/x\nunlink x{n}\n"
        f"cd /tree/{n}\nea_set x user.large {'v' * 300}\ncd /\n"
        f"symlink /tree/{n}/l /etc\ncd /tree/{n}\nmknod p p\ncd /\n"
        f"symlink /tree/{n}/long {'t' * 200}\n"
        f"ea_set /tree/{n} user.large {'v' * 300}\n"
        for n in range(20)
    )
    tool("debugfs", "-w", "-f", "-", image, stdin="mkdir /tree\n" + script)
    free = re.search(r"Free inodes: +\d+", tool("debugfs", "-R", "stats -h", image))
    require_sound(tool, image)

    ExtFilesystem(image).remove("/tree", recursive=True)

    assert not ExtFilesystem(image).exists("/tree")
    assert ExtFilesystem(image).exists("/etc/hostname")
    assert re.search(r"Free inodes: +\d+", tool("debugfs", "-R", "stats -h", image)) != free
    require_sound(tool, image)


@pytest.mark.parametrize("feature", ["metadata_csum", "inline_data", "^extent,^64bit", "bigalloc"])
def test_attributes_in_a_block_of_their_own_go_with_the_file(
    make_ext: Callable[..., Path], source: Path, tool: Tool, feature: str
) -> None:
    image = make_ext("root.ext4", "-O", feature)
    signature = "s" * 400
    for path in ("/etc/hostname", "/conf", "/usr/bin"):
        tool("debugfs", "-w", "-R", f"ea_set {path} security.ima {signature}", image)
    require_sound(tool, image)
    filesystem = ExtFilesystem(image)

    filesystem.write_file(source, "/etc/hostname")
    filesystem.write_file(source, "/etc/hostname", 0o644)
    filesystem.remove("/conf")
    filesystem.remove("/usr", recursive=True)

    require_sound(tool, image)


def test_attribute_block_that_files_share_stays_with_the_other(
    make_ext: Callable[..., Path], source: Path, tool: Tool
) -> None:
    image = make_ext(kind="ext2")
    value = "v" * 300
    tool("debugfs", "-w", "-R", f"ea_set /etc/hostname user.v {value}", image)
    block = field(tool, image, "/etc/hostname", "File ACL")
    share = f"sif /usr/bin/app file_acl {block}\nzap -o 4 -l 1 -p 2 {block}\n"
    more = int(field(tool, image, "/usr/bin/app", "Blockcount")) + 2
    share += f"sif /usr/bin/app blocks {more}\n"
    tool("debugfs", "-w", "-f", "-", image, stdin=share)
    require_sound(tool, image)

    ExtFilesystem(image).write_file(source, "/etc/hostname")
    ExtFilesystem(image).remove("/etc/hostname")

    assert value in tool("debugfs", "-R", "ea_get /usr/bin/app user.v", image)
    require_sound(tool, image)


def test_hard_link_inside_and_outside_of_a_removed_tree(
    ext4: Path, tool: Tool, tmp_path: Path
) -> None:
    script = (
        f"ea_set /etc/hostname user.v {'v' * 300}\nmkdir /tree\nlink /etc/hostname /tree/a\n"
        "link /etc/hostname /tree/b\nsif /etc/hostname links_count 3\n"
    )
    tool("debugfs", "-w", "-f", "-", ext4, stdin=script)
    require_sound(tool, ext4)

    ExtFilesystem(ext4).remove("/tree", recursive=True)

    assert text_of(ExtFilesystem(ext4), "/etc/hostname", tmp_path) == "old\n"
    assert "vvv" in tool("debugfs", "-R", "ea_get /etc/hostname user.v", ext4)
    require_sound(tool, ext4)
