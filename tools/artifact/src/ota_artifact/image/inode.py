# SPDX-License-Identifier: Apache-2.0
"""Find a path in an ext filesystem, following symbolic links, and read what is there."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ArtifactError
from ota_artifact.image import debugfs
from ota_artifact.image.paths import Kind, components, joined

_MOST_LINKS = 40  # Source: linux/namei.h, MAXSYMLINKS
_MOST_DIRECTORIES = 100_000  # in one tree to remove
_LONGEST_FAST_LINK = 60  # [B] a target shorter than this lies in the inode. Source: ext4 "Inodes"
_ENCRYPTED = 0x800  # Source: linux/fs.h, FS_ENCRYPT_FL

_KINDS: dict[str, Kind] = {"regular": "file", "directory": "directory", "symlink": "symlink"}
_STAT = re.compile(
    r"Inode: (?P<number>\d+) +Type: (?P<type>[\w ]+?) +Mode: +(?P<mode>[0-7]+)"
    r" +Flags: 0x(?P<flags>[0-9a-f]+)\n.*\n"
    r"User: +(?P<uid>-?\d+) +Group: +(?P<gid>-?\d+).*?Size: (?P<size>\d+)\n"
    r"File ACL: (?P<attributes>\d+).*\n"
    r"Links: (?P<links>\d+) +Blockcount: (?P<sectors>\d+)\n"
)
"""The head of what `stat` prints. What an image can control comes after it."""

_LISTED = re.compile(r"/(?P<inode>\d+)/(?P<mode>[0-7]+)/-?\d+/-?\d+/(?P<name>[^/\n]+)/\d*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """A file, directory or other thing.

    Attributes:
        number: its inode number.
        mode: permission bits.
        size: length [B].
        allocated: what it takes of the filesystem [B].
        links: how many names it has.
        attribute_block: where the attributes are that do not fit into the inode; 0: nowhere.
    """

    number: int
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    allocated: int
    links: int
    is_encrypted: bool
    attribute_block: int

    @property
    def address(self) -> str:
        """How debugfs addresses it, whatever its name."""
        return f"<{self.number}>"

    @property
    def is_fast_link(self) -> bool:
        """Whether it is a symbolic link whose target lies in the inode itself."""
        return self.kind == "symlink" and self.size < _LONGEST_FAST_LINK


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A name in a directory, and the inode that it leads to.

    Attributes:
        path: the path, with symbolic links at its end followed.
        directory: the directory that has the name, or would have it.
        name: never with "/"; "." when the path is the root.
        inode: what is there; None: nothing yet.
    """

    path: str
    directory: Inode
    name: str
    inode: Inode | None


def find(place: Path, offset: int, path: str, *, follow: bool = True) -> Entry:
    """Look a path up from the root of the filesystem.

    Args:
        place: a workplace of the image.
        offset: where the filesystem begins in it [B].
        path: absolute.
        follow: whether to follow a symbolic link at the end; a dangling link gives the entry that
            it names, so that a write creates it.

    Raises:
        FileNotFoundError: no such directory on the way; the text names it.
        ArtifactError: not a path, or too many symbolic links.
        DebugfsError: the filesystem cannot be read.
    """
    names = components(path)
    for _ in range(_MOST_LINKS):
        parent = "".join(f"/{name}" for name in names[:-1])
        name = names[-1] if names else "."
        directory = _stat(place, offset, f"{parent}/.")
        if directory is None or directory.kind != "directory":
            raise FileNotFoundError(f"{parent or '/'}: no such directory")
        inode = _stat(place, offset, f"{parent}/{name}")
        if inode is None or inode.kind != "symlink" or not follow:
            return Entry(path=joined(names), directory=directory, name=name, inode=inode)
        target = _link_target(place, offset, inode, joined(names))
        names = components(target if target.startswith("/") else f"{parent}/{target}")
    raise ArtifactError(f"{path}: too many symbolic links; is there a loop?")


def real_path(place: Path, offset: int, path: str) -> str:
    """The path with every symbolic link followed; what is missing on the way stays as it is.

    Args:
        place: a workplace of the image.
        offset: where the filesystem begins in it [B].
        path: absolute.

    Raises:
        ArtifactError: not a path, or too many symbolic links.
        DebugfsError: the filesystem cannot be read.
    """
    left, done, links = list(components(path)), list[str](), 0
    while left:
        name = left.pop(0)
        if name == "..":
            done = done[:-1]
            continue
        here = joined((*done, name))
        inode = _stat(place, offset, here)
        if inode is None or inode.kind != "symlink":
            done.append(name)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise ArtifactError(f"{path}: too many symbolic links; is there a loop?")
        target = _link_target(place, offset, inode, here)
        left = [*components(f"/{target}"), *left]
        done = [] if target.startswith("/") else done
    return joined(tuple(done))


def stat_each(place: Path, offset: int, numbers: Sequence[int]) -> tuple[Inode, ...]:
    """The inodes of some numbers.

    Raises:
        ArtifactError, DebugfsError: one of them cannot be read.
    """
    commands = [("stat", f"<{number}>") for number in numbers]
    printed = debugfs.ask_each(place, offset, commands)
    return tuple(_parsed(each, f"inode {n}") for each, n in zip(printed, numbers, strict=True))


def names_in(place: Path, offset: int, directory: Inode) -> tuple[str, ...]:
    """The names in a directory, in order; one with a line break in it is left out.

    Raises:
        DebugfsError: the filesystem cannot be read.
    """
    entries = (_LISTED.fullmatch(line) for line in _listed(place, offset, directory.number))
    found = (each["name"] for each in entries if each and each["inode"] != "0")
    return tuple(sorted(name for name in found if name not in (".", "..")))


@dataclass(frozen=True, slots=True)
class Tree:
    """The content of a directory, at all depths.

    Attributes:
        commands: for debugfs, to empty the directory, deepest first.
        inodes: that of each name in it.
    """

    commands: tuple[tuple[str, ...], ...]
    inodes: tuple[Inode, ...]


def read_tree(place: Path, offset: int, entry: Entry) -> Tree:
    """Walk a directory and all below it.

    Raises:
        ArtifactError: a name that debugfs does not accept, or directories in a loop.
        DebugfsError: the filesystem cannot be read.
    """
    if entry.inode is None:
        raise ValueError(f"{entry.path}: nothing there to walk")
    seen = {entry.inode.number}
    found: list[int] = []
    steps: list[list[tuple[str, ...]]] = []
    queue = [(entry.inode.number, entry.directory.number, entry.path)]
    for number, parent, path in queue:  # grows while it is walked: parents before children
        commands: list[tuple[str, ...]] = [("cd", f"<{number}>")]
        for child, is_directory, name in _entries(place, offset, number, parent, path):
            if is_directory:
                if child in seen or len(seen) > _MOST_DIRECTORIES:
                    raise ArtifactError(f"{path}/{name}: directories in a loop; run e2fsck -f")
                seen.add(child)
                queue.append((child, number, f"{path}/{name}"))
            found.append(child)
            commands.append(("rmdir" if is_directory else "rm", f"./{name}"))
        steps.append(commands)
    return Tree(
        commands=tuple(command for commands in reversed(steps) for command in commands),
        inodes=stat_each(place, offset, found) if found else (),
    )


def _entries(
    place: Path, offset: int, directory: int, parent: int, path: str
) -> Iterator[tuple[int, bool, str]]:
    """Each entry but "." and "..", as (inode, whether a directory, name).

    A directory whose ".." is not the one that led to it belongs elsewhere in the tree.
    """
    for line in _listed(place, offset, directory):
        entry = _LISTED.fullmatch(line)
        if entry is None:
            raise ArtifactError(f"{path}: has a name that cannot be removed: {line!r}; run e2fsck")
        inode, name = int(entry["inode"]), entry["name"]
        if name == ".." and inode != parent:
            raise ArtifactError(f"{path}: is linked in two places; run e2fsck -f on the image")
        if name not in (".", "..") and inode != 0:
            yield inode, int(entry["mode"], 8) & 0o170000 == 0o040000, name


def _listed(place: Path, offset: int, directory: int) -> list[str]:
    printed = debugfs.ask(place, offset, "ls", "-p", f"<{directory}>")
    return [line for line in printed.decode("utf-8", "surrogateescape").split("\n") if line]


def _stat(place: Path, offset: int, path: str) -> Inode | None:
    try:
        printed = debugfs.ask(place, offset, "stat", path)
    except debugfs.DebugfsError as error:
        if "File not found" in error.said or "not a directory" in error.said:
            return None
        raise
    return _parsed(printed, path)


def _parsed(printed: bytes, path: str) -> Inode:
    found = _STAT.match(printed.decode("utf-8", "surrogateescape"))
    if found is None:
        raise ArtifactError(f"{path}: debugfs shows no inode; run e2fsck -f on the image")
    return Inode(
        number=int(found["number"]),
        kind=_KINDS.get(found["type"], "other"),
        mode=int(found["mode"], 8) & 0o7777,
        uid=int(found["uid"]) & 0xFFFFFFFF,
        gid=int(found["gid"]) & 0xFFFFFFFF,
        size=int(found["size"]),
        allocated=int(found["sectors"]) * 512,
        links=int(found["links"]),
        is_encrypted=bool(int(found["flags"], 16) & _ENCRYPTED),
        attribute_block=int(found["attributes"]),
    )


def _link_target(place: Path, offset: int, link: Inode, path: str) -> str:
    if not 0 < link.size <= 4096:
        raise ArtifactError(f"{path}: symbolic link of {link.size} B; run e2fsck -f on the image")
    if link.is_fast_link:
        dump = debugfs.ask(place, offset, "inode_dump", "-b", link.address).decode(
            "ascii", "replace"
        )
        target = _bytes_of_dump(dump)[: link.size]
    else:
        target = debugfs.ask(place, offset, "cat", link.address)[: link.size]
    return target.decode("utf-8", "surrogateescape")


def _bytes_of_dump(dump: str) -> bytes:
    """The bytes of debugfs's hexadecimal dump, where "*" stands for lines like the last one."""
    content = bytearray()
    for line in dump.splitlines():
        numbers = re.match(r"([0-7]{4})  ((?:[0-9a-f]{4} ?){1,8})", line)
        if numbers:
            start = int(numbers[1], 8)
            content += content[-16:] * ((start - len(content)) // 16)
            content += bytes.fromhex(numbers[2])
    return bytes(content)
