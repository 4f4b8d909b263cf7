# SPDX-License-Identifier: Apache-2.0
"""Files in a vfat filesystem, through mtools."""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.image.paths import Kind, checked_mode, components, joined
from ota_artifact.image.sparse import length
from ota_artifact.image.workplace import build_time, delivered, source_file, workplace
from ota_artifact.run import run

_TIMEOUT = 900.0  # [s] a file of several GiB on a slow disk
_SETTINGS = {
    "HOME": "/nonexistent",  # no ~/.mtoolsrc
    "LC_ALL": "C.UTF-8",  # names on the command line
    "MTOOLSRC": "/dev/null",
    "MTOOLS_DATE_STRING": "yyyy-mm-dd",
    "MTOOLS_DOTTED_DIR": "0",
    "MTOOLS_FAT_COMPATIBILITY": "0",
    "MTOOLS_LOWER_CASE": "0",
    "MTOOLS_NAME_NUMERIC_TAIL": "1",
    "MTOOLS_NO_VFAT": "0",
    "MTOOLS_SKIP_CHECK": "1",  # partitions that do not follow a drive's geometry
    "TZ": "UTC0",  # vfat has local times: the same bytes on every machine
}
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f"*:<>?\\|[]')  # "[" is a wildcard in mtools
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FatFilesystem:
    """A vfat filesystem in an image. It has no owners, modes or links, and ignores case.

    Attributes:
        image: the file, also a whole disk's.
        offset: where the filesystem begins [B].
        size: how much of the image is its own [B]; None: all up to the end.
    """

    image: Path
    offset: int = 0
    size: int | None = None

    def __post_init__(self) -> None:
        room = length(self.image) - self.offset
        room = room if self.size is None else min(room, self.size)
        with self.image.open("rb") as file:
            file.seek(self.offset)
            boot = file.read(512)
        if len(boot) < 512:
            raise ArtifactError(f"{self.image}: no vfat boot sector at {self.offset} B")
        sector, sectors = (
            struct.unpack_from("<H", boot, 11)[0],
            struct.unpack_from("<H", boot, 19)[0],
        )
        said = sector * (sectors or struct.unpack_from("<I", boot, 32)[0])
        if said > room:
            raise ArtifactError(
                f"{self.image}: the filesystem at {self.offset} B has {said} B, and the "
                f"image only {room} of them; it is truncated"
            )

    def kind(self, path: str) -> Kind | None:
        """What is at the path; None: nothing.

        Raises:
            ArtifactError: not a path, or a name that vfat cannot have.
        """
        with workplace(self.image) as place:
            return self._kind(place, checked_names(path))

    def exists(self, path: str) -> bool:
        """Whether anything is at the path."""
        return self.kind(path) is not None

    def real_path(self, path: str) -> str:
        """The path: a vfat has no symbolic links."""
        return joined(checked_names(path))

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a folder, in order; () if there is no such folder."""
        names = checked_names(path)
        with workplace(self.image) as place:
            if self._kind(place, names) != "directory":
                return ()
            return tuple(sorted(entry.rstrip("/") for entry in self._listed(place, names)))

    def file_size(self, path: str) -> int:
        """How long a file is [B].

        Raises:
            ArtifactError: no such file, or a directory.
            ProgramError: mtools cannot read it.
        """
        names = checked_names(path)
        with workplace(self.image) as place:
            self._require(place, names, path, "file")
            size = self._size(place, names)
        if size is None:
            raise ArtifactError(f"{self.image}: {path}: mdir does not say how long it is")
        return size

    def read_file(self, path: str, destination: Path) -> None:
        """Copy a file of the image to the host, whole or not at all, with mode 0644.

        Raises:
            ArtifactError: no such file, or a directory.
            ProgramError: mtools cannot read it.
            OSError: the destination cannot be written.
        """
        names = checked_names(path)
        with workplace(self.image) as place:
            self._require(place, names, path, "file")
            with delivered(destination) as part:
                (place / "content").symlink_to(part.absolute())
                self._mtools(place, "mcopy", "-n", _target(names), str(place / "content"))
                part.chmod(0o644)

    def write_file(self, source: Path, path: str, mode: int | None = None) -> None:
        """Copy a file of the host into the image, replacing one that is there, read-only or not.

        The mode is checked and then ignored, since vfat has no modes.

        Raises:
            ArtifactError: no such directory, a directory is there, or no space.
            ProgramError: mtools cannot write it.
        """
        size = source_file(source).st_size
        if mode is not None:
            checked_mode(mode)
        names = checked_names(path)
        if not names or path.endswith("/"):
            raise ArtifactError(f"{self.image}: {path}: names a directory; name the file")
        with workplace(self.image) as place:
            self._require(place, names[:-1], _path(names[:-1]), "directory")
            (place / "content").symlink_to(source.absolute())
            old = self._kind(place, names)
            if old == "directory":
                raise ArtifactError(f"{self.image}: {path}: is a directory; name the file")
            self._require_room(place, size, names if old else None, path)
            with self._room_may_end(path):
                if old:
                    self._mtools(place, "mattrib", "-r", "-h", "-s", _target(names))
                content = str(place / "content")
                self._mtools(place, "mcopy", "-n", "-o", "-D", "o", content, _target(names))

    def make_directory(self, path: str, mode: int | None = None) -> None:
        """Make a directory and those above it; an existing one is not an error.

        The mode is checked and then ignored, since vfat has no modes.

        Raises:
            ArtifactError: a part of the path is a file, or no space.
            ProgramError: mtools cannot make it.
        """
        if mode is not None:
            checked_mode(mode)
        names = checked_names(path)
        with workplace(self.image) as place, self._room_may_end(path):
            for depth in range(1, len(names) + 1):
                here = names[:depth]
                match self._kind(place, here):
                    case None:
                        self._mtools(place, "mmd", "-D", "s", _target(here))
                    case "file":
                        raise ArtifactError(
                            f"{self.image}: {_path(here)}: is not a directory; remove it first"
                        )

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, or with `recursive` a directory and all below it.

        Raises:
            ArtifactError: nothing there, or a directory and not `recursive`.
            ProgramError: mtools cannot remove it.
        """
        names = checked_names(path)
        if not names:
            raise ArtifactError(f"{path}: cannot be removed; name a file or directory")
        with workplace(self.image) as place:
            match self._kind(place, names):
                case None:
                    raise ArtifactError(f"{self.image}: {path}: no such file or directory")
                case "directory" if not recursive:
                    raise ArtifactError(
                        f"{self.image}: {path}: is a directory; remove it recursively"
                    )
                case "directory":
                    self._mtools(place, "mdeltree", _target(names))
                case _:
                    self._mtools(place, "mattrib", "-r", "-h", "-s", _target(names))
                    self._mtools(place, "mdel", _target(names))

    def places(self, path: str) -> tuple[tuple[int, int], ...]:
        """Where the pieces of a file or directory are in the image [B], how long they are [B].

        Raises:
            ArtifactError: nothing there.
            ProgramError: mtools cannot read it.
        """
        names = checked_names(path)
        with workplace(self.image) as place:
            kind = self._kind(place, names)
            if kind is None:
                raise ArtifactError(f"{self.image}: {path}: no such file or directory")
            size = self._size(place, names) if kind == "file" else None
            said = self._mtools(place, "mshowfat", _target(names)).decode("utf-8", "replace")
        found = []
        for first, last in re.findall(r"<(\d+)(?:-(\d+))?>", said):
            begin, end = (self._place_of(int(each)) for each in (first, last or first))
            length = end + self._cluster - begin
            if size is not None:
                length = min(size, length)
                size -= length
            found.append((begin, length))
        return tuple(found)

    @property
    def _cluster(self) -> int:
        """How long a cluster is [B]."""
        sector, sectors = struct.unpack_from("<HB", self._boot_sector(), 11)
        return int(sector * sectors)

    def _place_of(self, cluster: int) -> int:
        """Where a cluster begins in the image [B]. Source: Microsoft, FAT specification 1.03."""
        boot = self._boot_sector()
        sector, _, reserved, tables, entries = struct.unpack_from("<HBHBH", boot, 11)
        length = struct.unpack_from("<H", boot, 22)[0] or struct.unpack_from("<I", boot, 36)[0]
        root = -(-entries * 32 // sector)
        first = reserved + tables * length + root
        return int(self.offset + first * sector + (cluster - 2) * self._cluster)

    def _boot_sector(self) -> bytes:
        with self.image.open("rb") as file:
            file.seek(self.offset)
            return file.read(512)

    def check(self) -> None:
        """Pass if every directory can be read and the copies of the allocation table agree.

        fsck.vfat finds more, but cannot look into a disk image.

        Raises:
            ArtifactError: the filesystem is damaged.
        """
        with self.image.open("rb") as file:
            file.seek(self.offset)
            boot = file.read(512)
            sector, _, reserved, tables = struct.unpack_from("<HBHB", boot, 11)
            length = struct.unpack_from("<H", boot, 22)[0] or struct.unpack_from("<I", boot, 36)[0]
            first = self.offset + reserved * sector
            for at in range(0, length * sector if tables > 1 else 0, 1 << 20):
                size = min(1 << 20, length * sector - at)
                file.seek(first + at)
                here = file.read(size)
                file.seek(first + length * sector + at)
                if here != file.read(size):
                    raise ArtifactError(
                        f"{self.image}: the allocation tables of the filesystem at {self.offset} B "
                        "differ; repair it with fsck.vfat"
                    )
        with workplace(self.image) as place:
            try:
                self._mtools(place, "minfo", "::")
                if self._mtools(place, "mdir", "-b", "-a", "::/", success=(0, 1)):
                    self._mtools(place, "mdu", "-s", "::/")  # which fails on an empty root
            except ProgramError as error:
                raise ArtifactError(f"{self.image}: damaged vfat: {error}") from error

    def _kind(self, place: Path, names: tuple[str, ...]) -> Kind | None:
        kind: Kind = "directory"
        for depth, name in enumerate(names):
            if kind != "directory":
                return None
            wanted = name.casefold()
            for entry in self._listed(place, names[:depth]):
                if entry.rstrip("/").casefold() == wanted:
                    kind = "directory" if entry.endswith("/") else "file"
                    break
            else:
                return None
        return kind

    def _listed(self, place: Path, names: tuple[str, ...]) -> list[str]:
        """The names in a directory; those of directories end with "/"."""
        # Exit code 1: nothing there; mdir also reports this for an empty root.
        printed = self._mtools(place, "mdir", "-b", "-a", "-f", _target(names), success=(0, 1))
        lines = printed.decode("utf-8", "surrogateescape").splitlines()
        return [re.sub(r".*/(?=.)", "", line) for line in lines]

    def _size(self, place: Path, names: tuple[str, ...]) -> int | None:
        listed = self._mtools(place, "mdir", "-a", _target(names))
        found = re.search(rb"1 file +([\d ]+) bytes", listed)
        return int(found[1].replace(b" ", b"")) if found else None

    def _require(self, place: Path, names: tuple[str, ...], path: str, kind: Kind) -> None:
        found = self._kind(place, names)
        if found is None:
            raise ArtifactError(f"{self.image}: {path}: no such {kind}")
        if found != kind:
            raise ArtifactError(f"{self.image}: {path}: is a {found}; name a {kind}")

    def _require_room(
        self, place: Path, size: int, replaced: tuple[str, ...] | None, path: str
    ) -> None:
        """Refuse before anything changes."""
        root = self._mtools(place, "mdir", "-a", "::/", success=(0, 1))
        free = re.search(rb"([\d ]+) bytes free", root)
        freed = (self._size(place, replaced) or 0) if replaced else 0
        if free and size > int(free[1].replace(b" ", b"")) + freed:
            raise ArtifactError(
                f"{self.image}: {path}: no space left: {size} B to write, "
                f"{int(free[1].replace(b' ', b'')) + freed} B free; make the filesystem larger"
            )

    @contextmanager
    def _room_may_end(self, path: str) -> Iterator[None]:
        try:
            yield
        except ProgramError as error:
            if "Disk full" in str(error) or "No free cluster" in str(error):
                raise ArtifactError(
                    f"{self.image}: {path}: no space left; make the filesystem larger"
                ) from error
            raise

    def _mtools(
        self, place: Path, program: str, *arguments: str, success: tuple[int, ...] = (0,)
    ) -> bytes:
        epoch = build_time()
        times = {} if epoch is None else {"SOURCE_DATE_EPOCH": str(epoch)}
        return mtools(place, self.offset, program, *arguments, environment=times, success=success)


def mtools(
    place: Path,
    offset: int,
    program: str,
    *arguments: str,
    environment: Mapping[str, str],
    success: Sequence[int] = (0,),
) -> bytes:
    """Run one of mtools on the filesystem at an offset; gives what it prints.

    Args:
        place: a workplace of the image.
        offset: where the filesystem begins in it [B].
        environment: variables in addition to those that make it work the same everywhere.

    Raises:
        ProgramError: it is missing, or fails.
    """
    return run(
        (program, "-i", f"{place / 'image'}@@{offset}", *arguments),
        timeout=_TIMEOUT,
        environment={**_SETTINGS, **environment},
        success=success,
    )


def checked_names(path: str) -> tuple[str, ...]:
    """The names of a path, with ".." resolved, since vfat has no links that change its meaning.

    Raises:
        ArtifactError: a name that is not allowed on vfat.
    """
    names: list[str] = []
    for name in components(path):
        if name == "..":
            del names[-1:]
            continue
        if _FORBIDDEN.search(name) or _RESERVED.fullmatch(name) or name[-1] in ". ":
            raise ArtifactError(
                f"{path}: {name!r} is not allowed as a name on vfat; choose another"
            )
        names.append(name)
    return tuple(names)


def _path(names: tuple[str, ...]) -> str:
    return "/" + "/".join(names)


def _target(names: tuple[str, ...]) -> str:
    """A path in mtools' words."""
    return f"::{_path(names)}"
