# SPDX-License-Identifier: Apache-2.0
"""Extended attributes of files in an ext filesystem, and the blocks that they take.

Many attributes, such as those of IMA, lie in a block of their own, which files may share. debugfs
forgets that block when it removes a file: it would stay in use by nobody.
"""

import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.image import debugfs
from ota_artifact.image.inode import Inode, stat_each
from ota_artifact.image.superblock import read_superblock

_NAME = re.compile(r"  ((?:security|system|trusted|user)\.[\w.@+-]+) \(\d+\)", re.ASCII)
_CONTENT = "system.data"  # no attribute: the content of a file small enough to lie in its inode
_MAGIC = 0xEA020000  # of an attribute block. Source: kernel.org, ext4 "Extended Attributes"


@dataclass(frozen=True, slots=True)
class Release:
    """Commands that give attribute blocks back.

    Attributes:
        before: to carry out before the files go.
        after: to carry out when they are gone, in the directory of a name that is free then.
    """

    before: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...]


def attribute_names(place: Path, offset: int, inode: Inode) -> tuple[str, ...]:
    """The extended attributes of a file, in the order in which they lie there.

    Raises:
        DebugfsError: the filesystem cannot be read.
    """
    text = debugfs.ask(place, offset, "ea_list", inode.address).decode("utf-8", "replace")
    return tuple(name for name in dict.fromkeys(_NAME.findall(text)) if name != _CONTENT)


def release(place: Path, offset: int, inodes: Sequence[Inode], name: str) -> Release:
    """Plan the removal of names; a file that has more names keeps its attributes.

    A file that shares its block gets one of its own at once.

    Args:
        place: a workplace of the image.
        offset: where the filesystem begins in it [B].
        inodes: that of each name to remove.
        name: one that is free afterwards, in the directory where `after` is carried out.

    Raises:
        DebugfsError: the filesystem cannot be read or changed.
    """
    names = Counter(inode.number for inode in inodes)
    going = [
        inode
        for inode in {each.number: each for each in inodes}.values()
        if inode.attribute_block
        and (inode.kind == "directory" or inode.links <= names[inode.number])
    ]
    if not going:
        return Release((), ())
    own = _with_own_blocks(place, offset, going)
    (place / "empty").touch()
    holder = f"./{name}"
    is_inline = read_superblock(place / "image", offset).has_inline_data
    after: list[tuple[str, ...]] = []
    for inode in own:  # the block becomes the content of a file, and goes with it
        after.append(("write", str(place / "empty"), name))
        if is_inline:
            after.append(("set_inode_field", holder, "flags", "0"))
        after += [("bmap", holder, "0", str(inode.attribute_block)), ("rm", holder)]
    before: list[tuple[str, ...]] = []
    for inode in own:
        before.append(("set_inode_field", inode.address, "file_acl", "0"))
        if inode.is_fast_link:  # or its target would be taken for numbers of blocks to free
            before.append(("set_inode_field", inode.address, "blocks", "0"))
    return Release(tuple(before), tuple(after))


def _with_own_blocks(place: Path, offset: int, inodes: Sequence[Inode]) -> Sequence[Inode]:
    """The same files, none of them sharing its block: a change of attributes splits one off."""
    commands = [
        ("ea_rm", inode.address, attribute)
        for inode in inodes
        if _users(place, offset, inode.attribute_block) > 1
        for attribute in attribute_names(place, offset, inode)
    ]
    if not commands:
        return inodes
    debugfs.change(place, offset, commands)
    return stat_each(place, offset, [inode.number for inode in inodes])


def _users(place: Path, offset: int, block: int) -> int:
    """How many files share an attribute block, by its own count."""
    with (place / "image").open("rb") as file:
        file.seek(offset + block * read_superblock(place / "image", offset).block_size)
        head = file.read(8)
    magic, users = struct.unpack("<II", head) if len(head) == 8 else (0, 0)
    return users if magic == _MAGIC else 0
