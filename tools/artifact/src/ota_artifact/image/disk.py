# SPDX-License-Identifier: Apache-2.0
"""An image by the paths of the running system: one filesystem, or a disk with slots A and B."""

import logging
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ota_artifact.errors import ArtifactError, blaming
from ota_artifact.hold import hold
from ota_artifact.image.filesystem import Filesystem, open_filesystem, recognise
from ota_artifact.image.partitions import Partition, read_table
from ota_artifact.image.paths import components, joined
from ota_artifact.image.roles import Roles, find_roles, is_one_filesystem
from ota_artifact.image.sparse import copy_sparse
from ota_artifact.output import naming

_T = TypeVar("_T")

logger = logging.getLogger(__name__)

Place = Literal["boot", "slots", "data"]
"""Which partitions a path belongs to; "slots" are A and B."""

_MOUNTED: tuple[tuple[tuple[str, ...], Place], ...] = (
    (("data",), "data"),
    (("uboot",), "boot"),
    (("boot", "efi"), "boot"),
    (("boot", "grub"), "boot"),
)
"""Where they are mounted. Source: mender-artifact, the file commands' documentation."""

_TITLES = {"boot": "boot partition", "A": "slot A", "B": "slot B", "data": "data partition"}
_EMPTY = {"lost+found"}  # what mke2fs leaves in a filesystem without files


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A path in one filesystem of an image.

    Attributes:
        name: of its partition, for messages; empty if the image is one filesystem.
        offset: where the filesystem begins [B].
        size: of its partition [B]; None: all up to the end of the image.
        inside: the path in there.
    """

    name: str
    offset: int
    size: int | None
    inside: str


class Image:
    """The files of an image, each path in the filesystem that the running system has there.

    In a disk image a path of the root filesystem stands for both slots: it is read from the first
    that has files, and changed in each that has some; if both are empty, in both. What
    `Filesystem` says of changes applies here too; `edit` changes all or nothing.

    Attributes:
        path: the image's file.
        roles: which partition of a disk image is which; None for a single filesystem.
    """

    def __init__(self, path: Path, roles: Roles | None) -> None:
        self.path = path
        self.roles = roles
        self._changed: dict[int, _Place] = {}
        self._slots: list[Partition] = []

    @property
    def is_changed(self) -> bool:
        """Whether a change was asked for."""
        return bool(self._changed)

    def exists(self, path: str) -> bool:
        """Whether a file or folder is at the path. See `Filesystem.exists`."""
        return self._first(path, lambda filesystem, inside: filesystem.exists(inside))

    def require_folder(self, path: str) -> None:
        """Pass if each filesystem that the path stands for has the folder.

        Raises:
            ArtifactError: one has not.
        """
        for place in self._places(path):
            if not self._open(place).exists(f"{place.inside}/."):
                raise ArtifactError(
                    f"{self._called(place)}: has no folder {path}: it is not a root"
                    " filesystem; name an image of one"
                )

    def read_file(self, path: str, destination: Path) -> None:
        """Copy a file of the image to the host. See `Filesystem.read_file`."""
        self._first(path, lambda filesystem, inside: filesystem.read_file(inside, destination))

    def write_file(self, source: Path, path: str, mode: int | None = None) -> None:
        """Copy a file of the host into the image. See `Filesystem.write_file`."""
        self._change(path, lambda filesystem, inside: filesystem.write_file(source, inside, mode))

    def make_directory(self, path: str, mode: int | None = None) -> None:
        """Make a directory and those above it. See `Filesystem.make_directory`."""
        self._change(path, lambda filesystem, inside: filesystem.make_directory(inside, mode))

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove what is at the path. See `Filesystem.remove`."""

        def remove(filesystem: Filesystem, inside: str) -> None:
            filesystem.remove(inside, recursive=recursive)

        self._change(path, remove, follows_end=False)

    def check(self) -> None:
        """Pass if all filesystems that were changed are sound.

        Raises:
            ArtifactError: one is damaged.
        """
        for place in self._changed.values():
            with self._naming(place):
                self._open(place).check()

    def _first(self, path: str, read: Callable[[Filesystem, str], _T]) -> _T:
        place = self._places(path)[0]
        with self._naming(place):
            filesystem = self._open(place)
            self._require_inside(filesystem, path, place.inside)
            return read(filesystem, place.inside)

    def _change(
        self, path: str, change: Callable[[Filesystem, str], None], *, follows_end: bool = True
    ) -> None:
        places = self._places(path)
        for place in places:
            inside = place.inside
            looked = inside if follows_end else joined(components(inside)[:-1])
            with self._naming(place):
                self._require_inside(self._open(place), path, looked)
        self._changed |= {place.offset: place for place in places}
        for place in places:
            with self._naming(place):
                change(self._open(place), place.inside)

    def _open(self, place: "_Place") -> Filesystem:
        return open_filesystem(self.path, place.offset, place.size)

    def _called(self, place: "_Place") -> str:
        """The image and the partition, as a message begins."""
        return f"{self.path}: {place.name}" if place.name else str(self.path)

    @contextmanager
    def _naming(self, place: "_Place") -> Iterator[None]:
        """Make errors about the image name the partition, too."""
        with blaming(Path(f"{self._called(place)}: "), Path(f"{self.path}: ")):
            yield

    def _require_inside(self, filesystem: Filesystem, path: str, inside: str) -> None:
        """Pass if no symbolic link of a slot leads to where the device mounts another partition.

        Raises:
            ArtifactError: one does.
        """
        if self.roles is None or place_of(path)[0] != "slots":
            return
        real = filesystem.real_path(inside)
        if place_of(real)[0] != "slots":
            raise ArtifactError(
                f"{self.path}: {path} leads to {real}, which is on another partition; name {real}"
            )

    def _places(self, path: str) -> "list[_Place]":
        """Where a path is, in each filesystem that it stands for."""
        if self.roles is None:
            return [_Place(name="", offset=0, size=None, inside=path)]
        if ".." in components(path):
            raise ArtifactError(f"{path}: '..' does not say which partition; write the path out")
        place, names = place_of(path)
        inside = joined(names) + ("/" if path.endswith("/") and names else "")
        match place:
            case "boot":
                chosen = [self.roles.boot]
            case "slots":
                chosen = self._slots = self._slots or self._with_files(self.roles)
            case "data":
                chosen = [self.roles.data]
        called = self.roles.names
        return [
            _Place(
                name=_TITLES[called[each.number]],
                offset=each.offset,
                size=each.size,
                inside=inside,
            )
            for each in chosen
        ]

    def _with_files(self, roles: Roles) -> list[Partition]:
        """The slots that have files; both, if both are empty."""
        made = [each for each in (roles.a, roles.b) if recognise(self.path, each.offset, each.size)]
        if not made:
            raise ArtifactError(f"{self.path}: no slot has a filesystem; there is nothing to open")
        opened = [(each, open_filesystem(self.path, each.offset, each.size)) for each in made]
        return [each for each, files in opened if set(files.names("/")) - _EMPTY] or made


def place_of(path: str) -> tuple[Place, tuple[str, ...]]:
    """Which partitions a path of the running system belongs to, and its names in there.

    A `.mender` artifact has the slots' part only.

    Raises:
        ArtifactError: not an absolute path.
    """
    names = components(path)
    for mounted, place in _MOUNTED:
        if names[: len(mounted)] == mounted:
            return place, names[len(mounted) :]
    return "slots", names


def open_image(path: Path) -> Image:
    """Open a filesystem image or a partitioned disk image, to be changed in place.

    Raises:
        ArtifactError: neither, or a disk that does not say which partition is which.
        ProgramError: a program that reads it is missing, or fails.
        OSError: the image cannot be read.
    """
    if not path.exists():
        raise ArtifactError(f"{path}: no such file")
    if not path.is_file():
        raise ArtifactError(f"{path}: not a regular file; only image files can be opened")
    try:
        table = read_table(path)
    except ArtifactError:
        if not is_one_filesystem(path, None):
            raise
        table = None
    if table is None or is_one_filesystem(path, table):
        open_filesystem(path)  # says what is wrong with it, if anything
        return Image(path, None)
    if table.first_fault:
        logger.warning("%s: the first GPT %s; the backup is read", path, table.first_fault)
    if table.conflict:
        logger.warning("%s: %s", path, table.conflict)
    return Image(path, find_roles(path, table))


@contextmanager
def edit(path: Path) -> Iterator[Image]:
    """Change an image all or not at all.

    The changes go to a copy next to it, which takes the image's place when the block ends well
    and the changed filesystems are sound. After any exception the image is as it was.

    Raises:
        ArtifactError: not an image, a damaged result, or another process changed the image.
        BlockingIOError: a process of ours uses the image, such as a board in QEMU.
        OSError: no space for the copy, or it cannot be written.
    """
    target = path.resolve()
    with blaming(path, target):
        open_image(target)
    with hold(target, remedy="wait until it has ended"), target.open("rb") as original:
        before = os.fstat(original.fileno())
        copy = _Copy(target)
        try:
            copy_sparse(original.fileno(), copy.descriptor)
            with blaming(path, copy.path):
                image = open_image(copy.path)
                yield image
                if not image.is_changed:
                    return
                _require_sound(image)
            copy.take_over(before)
            now, seen = target.stat(), (before.st_ino, before.st_mtime_ns, before.st_size)
            if (now.st_ino, now.st_mtime_ns, now.st_size) != seen:
                raise ArtifactError(f"{path}: was changed by another program; nothing written")
            copy.path.replace(target)
            _sync_directory(target.parent)
        finally:
            copy.discard()


class _Copy:
    """A file next to the image that is deleted unless it replaces it."""

    def __init__(self, target: Path) -> None:
        with naming(target, target.parent):
            self.descriptor, name = tempfile.mkstemp(
                prefix=".ota-", suffix=".part", dir=target.parent
            )
        self.path = Path(name)

    def take_over(self, original: os.stat_result) -> None:
        """Give it the original's owner, where we may, and mode; put it on the disk."""
        with suppress(PermissionError):  # an ordinary user's copy belongs to that user
            os.fchown(self.descriptor, original.st_uid, original.st_gid)
        os.fchmod(self.descriptor, stat.S_IMODE(original.st_mode))
        os.fsync(self.descriptor)

    def discard(self) -> None:
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)


def _require_sound(image: Image) -> None:
    try:
        image.check()
    except ArtifactError as error:
        raise ArtifactError(f"{error}\nThe image is unchanged.") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
