# SPDX-License-Identifier: Apache-2.0
"""Makes ext4 filesystems in place on an image, with mke2fs and without root.

A folder of an ordinary user's, and any archive, goes through fakeroot: what is the user's becomes
root's, and an archive keeps its owners, device nodes and setuid bits. Extended attributes of an
archive, file capabilities among them, are put in afterwards, since no user but root can set them on
the host, and fakeroot loses the type of a file that gets one.
"""

import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ota_artifact.errors import ProgramError
from ota_artifact.image import debugfs
from ota_artifact.image.filesystem import recognise
from ota_artifact.image.workplace import find_program, workplace
from ota_artifact.layout import Area
from ota_artifact.run import run
from ota_artifact.size import format_size
from ota_image.disk.bitmaps import read_bitmaps
from ota_image.disk.identity import Identity
from ota_image.errors import ImageError

_TIMEOUT = 900.0  # [s] for a root filesystem of several GiB on a slow disk
BLOCK = 4096
"""Size of a block [B]: also on a small slot, since /data grows with the card."""

_FEATURES = (
    "ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize"
)
"""What every U-Boot and GRUB in use reads: no metadata_csum, 64bit, orphan_file and newer ones."""

GROUPS = (8192, 2048, 512)
"""How many blocks a group of /data may have; the first one from 64 MiB on, as on the device."""

_JOURNAL = 4 << 20  # [B] a quarter of what mke2fs takes of a slot of 128 MiB
_WITH_JOURNAL = 16 << 20  # [B] smaller filesystems are too small for it
_BYTES_PER_FILE = 8192
_SPARE_FILES = 100  # more than a quarter above those that exist
_ROOT_INODE, _FIRST_INODE = 2, 11  # those between are its own. Source: ext4 "Special inodes"
_UNPACK = """\
set -e
tar --numeric-owner -xpf "$2" -C "$3"
# Folders that the archive does not list get the current time.
find "$3" -newermt "$1" -exec touch -h -d "$1" {} +
# What its owner cannot read mke2fs cannot either; fakeroot still shows the old mode.
LD_PRELOAD= chmod -R u+rwX "$3"
shift 3
exec "$@"
"""
_ATTRIBUTE = "SCHILY.xattr."  # Source: GNU tar, "Extended attributes"


@dataclass(frozen=True, slots=True)
class Archive:
    """A root filesystem in a tar, compressed or not."""

    path: Path


@dataclass(frozen=True, slots=True)
class Folder:
    """A root filesystem, or the content of /data, in a folder.

    Attributes:
        is_roots: whether everything in it belongs to root, whatever its owner on the host.
    """

    path: Path
    is_roots: bool = False


Tree = Archive | Folder | None
"""The content of a new filesystem; None: nothing."""


def make_ext4(
    disk: Path, area: Area, tree: Tree, *, label: str, identity: Identity, time: int
) -> None:
    """Make the filesystem of a partition, as large as the partition.

    Args:
        time: when the filesystem says it was made [s since 1970].

    Raises:
        ImageError: the files are too large for it, or are none.
        ProgramError: mke2fs, tar or fakeroot is missing or fails.
        OSError: no space.
    """
    options = (
        f"offset={area.offset}",
        f"hash_seed={identity.guid(f'hash {area.name}')}",
        "lazy_itable_init=0",
        "lazy_journal_init=0",
        "nodiscard",
        "root_owner=0:0",
    )
    journal = ",has_journal" if area.size >= _WITH_JOURNAL else ""
    argv = [
        find_program("mke2fs", package="e2fsprogs"),
        *("-q", "-F", "-t", "ext4", "-O", f"none,{_FEATURES}{journal}"),
        *("-b", str(BLOCK), "-I", "256"),
        *(("-g", str(_group(area))) if area.name == "data" else ()),
        *(("-J", f"size={_JOURNAL >> 20}") if journal else ()),
        *("-m", "1", "-U", identity.guid(f"filesystem {area.name}"), "-E", ",".join(options)),
        *(("-L", label) if label else ()),
    ]
    size = f"{area.size // 1024}k"
    match tree:
        case None:
            _run((*argv, "-N", str(_files(area, 0)), str(disk), size), area, time)
        case Folder(path, is_roots):
            _require_folder(path)
            argv += ["-N", str(_files(area, sum(1 for _ in path.rglob("*"))))]
            _from_folder(argv, (str(disk), size), path, area, time, is_roots=is_roots)
            _set_times(disk, area, time)
        case Archive(path):
            members = _members(path)
            argv += ["-N", str(_files(area, len(members)))]
            _from_archive(argv, (str(disk), size), path, area, time)
            _set_attributes(disk, area, members)
            _set_times(disk, area, time)


def tree_of(path: Path) -> Archive | Folder:
    """A folder or an archive, by what is there.

    Raises:
        ImageError: it is neither.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise ImageError(f"{path}: no such file; give a root filesystem: ext4, tar or a folder")
    known = recognise(path) if path.is_file() else None
    try:
        with tarfile.open(path):
            return Archive(path)
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError):
        pass
    what = f"is {known}" if known else "is neither ext4, nor a tar, nor a folder"
    raise ImageError(f"{path}: {what}; a root filesystem must be ext4, a tar or a folder")


def _group(area: Area) -> int:
    """How many blocks a group of /data has: few, or it has one group, and no backup of what says
    where its files are. The device looks for backups by these numbers.
    """
    return next((each for each in GROUPS if area.size >= 2 * each * BLOCK), GROUPS[-1])


def _files(area: Area, wanted: int) -> int:
    """How many files the filesystem can hold."""
    return max(area.size // _BYTES_PER_FILE, wanted + wanted // 4 + _SPARE_FILES)


def _from_folder(
    argv: list[str],
    tail: tuple[str, str],
    path: Path,
    area: Area,
    time: int,
    *,
    is_roots: bool,
) -> None:
    command = [*argv, "-d", str(path), *tail]
    if os.geteuid() != 0 or (is_roots and not _is_faked()):
        command = [_fakeroot(), "--", *command]
    _run(command, area, time)


def _from_archive(
    argv: list[str], tail: tuple[str, str], path: Path, area: Area, time: int
) -> None:
    with TemporaryDirectory(prefix="ota-rootfs-") as name:
        tree = Path(name) / "tree"
        tree.mkdir(mode=0o755)
        words = [f"@{time}", str(path), str(tree), *argv, "-d", str(tree), *tail]
        command = ["sh", "-c", _UNPACK, "sh", *words]
        if not _is_faked():
            command = [_fakeroot(), "--", *command]
        _run(command, area, time)


def _run(argv: list[str] | tuple[str, ...], area: Area, time: int) -> None:
    times = {"SOURCE_DATE_EPOCH": str(time), "E2FSPROGS_FAKE_TIME": str(max(time, 1))}
    settings = {"LC_ALL": "C", "MKE2FS_CONFIG": "/dev/null", "TAR_OPTIONS": "", **times}
    try:
        run(argv, timeout=_TIMEOUT, environment=settings)
    except ProgramError as error:
        if "Could not allocate" in str(error):
            raise ImageError(
                f"{area.name}: {format_size(area.size)} are too small for its files; make the"
                " partition larger or leave files out"
            ) from error
        raise


def _members(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path, encoding="utf-8", errors="surrogateescape") as archive:
        return archive.getmembers()


def _set_attributes(disk: Path, area: Area, members: list[tarfile.TarInfo]) -> None:
    """Give the files the extended attributes that they have in the archive."""
    found = list(_attributes(members))
    if not found:
        return
    with workplace(disk) as place:
        commands = []
        for number, (path, name, value) in enumerate(found):
            file = place / f"attribute{number}"
            file.write_bytes(value)
            commands.append(("ea_set", "-f", str(file), path, name))
        debugfs.change(place, area.offset, commands)


def _set_times(disk: Path, area: Area, time: int) -> None:
    """Remove the times of the host's copies, except those of the last change of the content."""
    fields = ("atime", "ctime", "crtime")
    in_use = (number for each in read_bitmaps(disk, area.offset).inodes for number in each)
    commands = [
        ("set_inode_field", f"<{number}>", name, f"@{max(time, 1)}")
        for number in in_use
        if number == _ROOT_INODE or number >= _FIRST_INODE
        for name in fields
    ]
    with workplace(disk) as place:
        debugfs.change(place, area.offset, commands)


def _attributes(members: list[tarfile.TarInfo]) -> Iterator[tuple[str, str, bytes]]:
    for member in members:
        path = "/" + member.name.removeprefix("./").strip("/")
        for key, value in member.pax_headers.items():
            if key.startswith(_ATTRIBUTE):
                yield path, key.removeprefix(_ATTRIBUTE), value.encode("utf-8", "surrogateescape")


def _require_folder(path: Path) -> None:
    if not path.is_dir():
        raise ImageError(f"{path}: no such folder")


def _fakeroot() -> str:
    return find_program("fakeroot", package="fakeroot")


def _is_faked() -> bool:
    """Whether we run under fakeroot or pseudo already, which cannot be nested."""
    return "FAKEROOTKEY" in os.environ or "pseudo" in os.environ.get("LD_PRELOAD", "")
