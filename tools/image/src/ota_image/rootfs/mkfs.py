# SPDX-License-Identifier: Apache-2.0
"""Writes a tree into an ext4 filesystem: the same tree always gives the same bytes.

mke2fs makes an empty one, and debugfs adds the files in order. `mke2fs -d` would take them in the
order of the host's folders, with the host's owners and times.
"""

import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.image.debugfs import complaint_of
from ota_artifact.image.workplace import find_program, workplace
from ota_artifact.run import run
from ota_artifact.size import MIB, format_size
from ota_image.errors import ImageError
from ota_image.rootfs.tree import Entry, Tree, host_text

FEATURES = (
    "has_journal",
    "ext_attr",
    "dir_index",
    "filetype",
    "extent",
    "flex_bg",
    "sparse_super",
    "large_file",
    "huge_file",
    "dir_nlink",
    "extra_isize",
)
"""What U-Boot 2023.01 and GRUB 2.06 can read: no metadata_csum, 64bit or orphan_file."""

_BLOCK = 4096  # [B]
_JOURNAL = 4 * MIB
_TIMEOUT = 600.0  # [s]
_TYPES = {
    "file": 0o100000,
    "directory": 0o040000,
    "symlink": 0o120000,
    "character": 0o020000,
    "block": 0o060000,
    "fifo": 0o010000,
}
_STDERR_TO_FILE = 'said=$1; shift; exec "$@" 2>"$said"'
"""Errors are on stderr, which `run` gives only if the program fails; debugfs does not."""

_FULL = "Could not allocate"  # a block, or an inode
_DISK_FULL = "No space left on device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4:
    """The properties of a filesystem.

    Attributes:
        size: its length [B], in whole blocks.
        uuid: its identity, and the seed of its hashes.
        time: of every file and of the filesystem [s since 1970], not 0.
    """

    size: int
    label: str
    uuid: str
    time: int


def write_ext4(tree: Tree, image: Path, form: Ext4) -> None:
    """Write the tree into a new sparse file, and check it.

    Raises:
        ImageError: the tree does not fit, or a name cannot be written.
        ProgramError: e2fsprogs is missing, or fails.
        OSError: no space.
    """
    try:
        said = _write(tree, image, form)
        if _DISK_FULL in said:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(image))
        if _FULL in said:
            raise ImageError(
                f"the root filesystem needs about {format_size(needed(tree))}, and the slot has"
                f" {format_size(form.size)}; leave something out, or make the slots larger"
            )
        if said:
            raise ProgramError(f"debugfs: {said.splitlines()[0]}")
    except BaseException:
        image.unlink(missing_ok=True)
        raise


def _write(tree: Tree, image: Path, form: Ext4) -> str:
    """Make and fill it; gives the errors of debugfs. If there are none, it is sound."""
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(form.size)
    with workplace(image) as place:  # e2fsprogs takes options from a path with a '?'
        _make(place / "image", form, inodes=_inodes(tree))
        script = "".join(f"{line}\n" for line in _script(tree))
        said = _debugfs(place / "image", script, form.time)
        if not said:
            _check(place / "image")
    return said


def needed(tree: Tree) -> int:
    """About how much room a tree takes, with journal and inodes [B], in whole MiB."""
    contents = {entry.content: entry.size for _, entry in tree if entry.content}
    blocks = sum(-(-size // _BLOCK) for size in contents.values())
    blocks += sum(1 for _, entry in tree if entry.kind == "directory")
    size = blocks * _BLOCK + _inodes(tree) * 256 + _JOURNAL
    return -(-size // MIB) * MIB


def _inodes(tree: Tree) -> int:
    """What the tree needs, and a quarter more for a slot that is mounted read-write."""
    return max(2048, sum(1 for _ in tree) * 5 // 4)


def _make(image: Path, form: Ext4, *, inodes: int) -> None:
    options = ("lazy_itable_init=0", "lazy_journal_init=0", "nodiscard", "root_owner=0:0")
    argv = (
        *(find_program("mke2fs", package="e2fsprogs"), "-q", "-F", "-t", "ext4"),
        *("-b", str(_BLOCK), "-I", "256", "-N", str(inodes), "-m", "0"),
        *("-O", ",".join(("none", *FEATURES)), "-J", f"size={_JOURNAL // MIB}"),
        *("-L", form.label, "-U", form.uuid),
        *("-E", ",".join((*options, f"hash_seed={form.uuid}"))),
        str(image),
    )
    run(argv, timeout=_TIMEOUT, environment=_environment(form.time))


def _environment(time: int) -> dict[str, str]:
    """An environment without the machine's settings, and with a fixed time."""
    return {
        "LC_ALL": "C",
        "MKE2FS_CONFIG": "/dev/null",
        "E2FSPROGS_FAKE_TIME": str(time),
        "SOURCE_DATE_EPOCH": str(time),
        "DEBUGFS_PAGER": "__none__",
    }


def _script(tree: Tree) -> Iterator[str]:
    """The commands for debugfs, in the order of the tree; a hard link follows its first name."""
    folder, names = "/", dict[Entry, list[str]]()
    yield "rmdir /lost+found"
    for path, entry in tree:
        if path == "/":
            yield from _owner("/", entry)
            continue
        parent, _, name = path.rpartition("/")
        if (parent or "/") != folder:
            folder = parent or "/"
            yield f"cd {_quoted(folder)}"
        if entry.content:
            if entry in names:
                names[entry].append(path)
                yield f"ln {_quoted(names[entry][0])} {_quoted(path)}"
                yield f"sif {_quoted(path)} links_count {len(names[entry])}"
                continue
            names[entry] = [path]
        yield from _made(name, entry)
        yield from _owner(name, entry)


def _made(name: str, entry: Entry) -> Iterator[str]:
    quoted = _quoted(name)
    match entry.kind:
        case "file" if entry.content:
            yield f"write {_quoted(host_text(entry.content))} {quoted}"
        case "directory":
            yield f"mkdir {quoted}"
        case "symlink":
            yield f"symlink {quoted} {_quoted(entry.target)}"
        case "character" | "block":
            major, minor = entry.device
            yield f"mknod {quoted} {entry.kind[0]} {major} {minor}"
        case "fifo":
            yield f"mknod {quoted} p"


def _owner(name: str, entry: Entry) -> Iterator[str]:
    """Set mode, owner and attributes. debugfs by itself takes the mode that the content has here,
    which is the user's umask."""
    quoted = _quoted(name)
    yield f"sif {quoted} mode 0{_TYPES[entry.kind] | entry.mode:o}"
    if entry.uid:
        yield f"sif {quoted} uid {entry.uid}"
    if entry.gid:
        yield f"sif {quoted} gid {entry.gid}"
    for attribute, value in entry.attributes:
        octal = "".join(f"\\{byte:03o}" for byte in value)
        yield f"ea_set {quoted} {attribute} {_quoted(octal)}"


def _quoted(word: str) -> str:
    """A word of debugfs' scripts. Source: e2fsprogs, lib/ss/parse.c."""
    if any(character in word for character in "\n\r\0"):
        raise ImageError(f"{word!r}: a name in the root filesystem must not have a line break")
    return '"' + word.replace('"', '""') + '"'


def _debugfs(image: Path, script: str, time: int) -> str:
    """Run commands; gives the errors, which the exit code does not tell."""
    program = find_program("debugfs", package="e2fsprogs")
    with tempfile.NamedTemporaryFile(prefix="ota-", suffix=".stderr") as heard:
        run(
            ("sh", "-c", _STDERR_TO_FILE, "sh", heard.name, program, "-w", "-f", "-", str(image)),
            timeout=_TIMEOUT,
            stdin=script.encode("utf-8", "surrogateescape"),
            environment=_environment(time),
        )
        said = Path(heard.name).read_text("utf-8", "replace")
    return complaint_of(said)


def _check(image: Path) -> None:
    argv = (find_program("e2fsck", package="e2fsprogs"), "-fn", str(image))
    run(argv, timeout=_TIMEOUT, environment={"LC_ALL": "C"})
