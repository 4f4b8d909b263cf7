# SPDX-License-Identifier: Apache-2.0
"""Files in an ext2, ext3 or ext4 filesystem, through debugfs."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.errors import ArtifactError
from ota_artifact.image import debugfs
from ota_artifact.image.attributes import attribute_names, release
from ota_artifact.image.inode import Entry, Inode, find, names_in, read_tree, real_path
from ota_artifact.image.paths import Kind, checked_mode, components, joined
from ota_artifact.image.sparse import data_size, length
from ota_artifact.image.superblock import Superblock, read_superblock
from ota_artifact.image.workplace import delivered, source_file, workplace

logger = logging.getLogger(__name__)

_LABEL = "security.selinux"  # belongs to the path more than to the file, and is always kept


@dataclass(frozen=True, slots=True)
class ExtFilesystem:
    """An ext filesystem in an image. Symbolic links lead within the image.

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
        if self._superblock().size > room:
            raise ArtifactError(
                f"{self.image}: the filesystem at {self.offset} B has "
                f"{self._superblock().size} B, and the image only {room} of them; it is truncated"
            )

    def kind(self, path: str) -> Kind | None:
        """What is at the path, without following a symbolic link at its end; None: nothing.

        Raises:
            ArtifactError: not a path, or too many symbolic links on the way.
        """
        with self._at_work(path) as place:
            try:
                found = find(place, self.offset, path, follow=False).inode
            except FileNotFoundError:
                return None
        return found.kind if found else None

    def exists(self, path: str) -> bool:
        """Whether a file or folder is at the path, symbolic links followed."""
        return self._found(path) is not None

    def real_path(self, path: str) -> str:
        """The path with every symbolic link followed. See `inode.real_path`."""
        with self._at_work(path) as place:
            return real_path(place, self.offset, path)

    def names(self, path: str) -> tuple[str, ...]:
        """The names in a folder, in order; () if there is no such folder."""
        found = self._found(path)
        if found is None or found.kind != "directory":
            return ()
        with self._at_work(path) as place:
            return names_in(place, self.offset, found)

    def file_size(self, path: str) -> int:
        """How long a file is [B].

        Raises:
            ArtifactError: no such file, or not a regular one.
        """
        found = self._found(path)
        if found is None:
            raise ArtifactError(f"{self.image}: {path}: no such file or directory")
        self._require_file(found, path)
        return found.size

    def read_file(self, path: str, destination: Path) -> None:
        """Copy a file of the image to the host with its permissions, whole or not at all.

        Setuid, setgid and sticky bits are dropped.

        Raises:
            ArtifactError: no such file, not a regular one, or damaged.
            OSError: the destination cannot be written.
        """
        if self._superblock().needs_recovery:
            logger.warning(
                "%s: has an unclean journal; files are read without it, e2fsck replays it",
                self.image,
            )
        with self._at_work(path) as place:
            inode = self._existing(find(place, self.offset, path))
            self._require_file(inode, path)
            if inode.size > self._superblock().size:
                raise ArtifactError(
                    f"{self.image}: {path}: says it has {inode.size} B, more than the filesystem"
                )
            with delivered(destination) as part:
                (place / "content").symlink_to(part.absolute())
                self._dump(place, inode, destination)
                if part.stat().st_size > inode.size:  # debugfs rounds a file kept in its inode up
                    os.truncate(part, inode.size)
                if part.stat().st_size != inode.size:
                    raise ArtifactError(
                        f"{self.image}: {path}: only {part.stat().st_size} of {inode.size} B can "
                        "be read; run e2fsck"
                    )
                part.chmod(inode.mode & 0o777)

    def write_file(self, source: Path, path: str, mode: int | None = None) -> None:
        """Copy a file of the host into the image, replacing one that is there.

        A new file belongs to root and has the given mode, else the source's. A replaced one
        keeps owner, group, mode and extended attributes; with a mode given it becomes a new
        file that keeps only its SELinux label, as install(1) does. Other hard links to it keep
        the old content. Times are the clock's or SOURCE_DATE_EPOCH.

        Raises:
            ArtifactError: no such directory, something other than a file is there, or no space.
        """
        host = source_file(source)
        if mode is not None:
            checked_mode(mode)
        with self._changing(path) as place:
            entry = find(place, self.offset, path)
            old = entry.inode
            if old:
                self._require_file(old, path)
            elif path.endswith("/"):
                raise ArtifactError(f"{self.image}: {path}: names a directory; name the file")
            self._require_room(source, old, path)
            kept = old if mode is None else None
            bits = kept.mode if kept else host.st_mode if mode is None else mode
            saved = self._saved_attributes(place, old, everything=mode is None) if old else ()
            (place / "content").symlink_to(source.absolute())
            inside = f"./{entry.name}"  # without ./ a name such as <12> would be inode 12
            commands: list[tuple[str, ...]] = [("cd", entry.directory.address)]
            if old:
                freeing = release(place, self.offset, [old], entry.name)
                commands += [*freeing.before, ("rm", inside), *freeing.after]
            commands += [
                ("write", str(place / "content"), entry.name),
                ("set_inode_field", inside, "mode", f"0{0o100000 | bits & 0o7777:o}"),
                ("set_inode_field", inside, "uid", str(kept.uid if kept else 0)),
                ("set_inode_field", inside, "gid", str(kept.gid if kept else 0)),
            ]
            commands += [
                ("ea_set", "-f", str(place / file), "-r", inside, name) for file, name in saved
            ]
            try:
                debugfs.change(place, self.offset, commands)
            except debugfs.DebugfsError as error:
                with suppress(debugfs.DebugfsError):  # no half a file under the name
                    debugfs.change(place, self.offset, [commands[0], ("rm", inside)])
                raise self._failed(f"{path}: cannot be written", error) from error

    def make_directory(self, path: str, mode: int | None = None) -> None:
        """Make a directory and those above it; an existing one is not an error.

        Args:
            path: absolute.
            mode: permissions of the last directory, also of an existing one; None: 0755 for a
                new one. Those above it get 0755. New directories belong to root.

        Raises:
            ArtifactError: a part of the path is something else, or no space.
        """
        bits = None if mode is None else checked_mode(mode)
        with self._changing(path) as place:
            names = components(path)
            for depth in range(1, len(names) + 1):
                here = joined(names[:depth])
                entry = find(place, self.offset, here)
                if entry.inode and entry.inode.kind != "directory":
                    raise ArtifactError(
                        f"{self.image}: {here}: is not a directory; remove it first"
                    )
                if entry.inode is None:
                    self._change(place, entry, ("mkdir", f"./{entry.name}"), what=here)
            if bits is not None:
                target = self._existing(find(place, self.offset, path))
                words = ("set_inode_field", target.address, "mode", f"0{0o040000 | bits:o}")
                debugfs.change(place, self.offset, [words])

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file or link, or with `recursive` a directory and all below it.

        If the path ends in a symbolic link, the link is removed and not its target.

        Raises:
            ArtifactError: nothing there, or a directory and not `recursive`.
        """
        names = components(path)
        if not names or names[-1] == "..":
            raise ArtifactError(f"{path}: cannot be removed; name a file or directory")
        with self._changing(path) as place:
            entry = find(place, self.offset, joined(names), follow=False)
            inode = self._existing(entry)
            if inode.kind == "directory" and not recursive:
                raise ArtifactError(f"{self.image}: {path}: is a directory; remove it recursively")
            inodes, commands, last = [inode], list[tuple[str, ...]](), "rm"
            if inode.kind == "directory":
                tree = read_tree(place, self.offset, entry)
                inodes, commands, last = [inode, *tree.inodes], list(tree.commands), "rmdir"
            freeing = release(place, self.offset, inodes, entry.name)
            commands = [*freeing.before, *commands, ("cd", entry.directory.address)]
            commands += [(last, f"./{entry.name}"), *freeing.after]
            try:
                debugfs.change(place, self.offset, commands)
            except debugfs.DebugfsError as error:
                raise self._failed(f"{path}: cannot be removed", error) from error

    def check(self) -> None:
        """Pass if e2fsck finds nothing wrong, without changes.

        Raises:
            ArtifactError: the filesystem is damaged; the text holds what e2fsck says.
        """
        with workplace(self.image) as place:
            damage = debugfs.check(place, self.offset)
        if damage:
            raise ArtifactError(
                f"{self.image}: the filesystem at {self.offset} B is damaged; repair it with "
                f"e2fsck -f:\n{damage}"
            )

    def _found(self, path: str) -> Inode | None:
        """What is at the path, symbolic links followed; None: nothing."""
        with self._at_work(path) as place:
            try:
                return find(place, self.offset, path).inode
            except FileNotFoundError:
                return None

    def _dump(self, place: Path, inode: Inode, destination: Path) -> None:
        try:
            debugfs.ask(place, self.offset, "dump", inode.address, str(place / "content"))
        except debugfs.DebugfsError as error:
            full = os.strerror(errno.ENOSPC)
            if full in error.said:  # on the host: nothing is written to the image
                raise OSError(errno.ENOSPC, full, str(destination)) from error
            raise

    @contextmanager
    def _at_work(self, path: str) -> Iterator[Path]:
        """A workplace; what is wrong on the way to a path is reported with the image's name."""
        with workplace(self.image) as place:
            try:
                yield place
            except debugfs.DebugfsError as error:
                raise ArtifactError(f"{self.image}: {path}: {error}") from error
            except FileNotFoundError as error:
                raise ArtifactError(f"{self.image}: {error}") from error

    @contextmanager
    def _changing(self, path: str) -> Iterator[Path]:
        with self._at_work(path) as place:
            if self._superblock().needs_recovery:
                logger.info("%s: replaying the journal of an unclean shutdown", self.image)
                debugfs.replay_journal(place, self.offset)
            try:
                yield place
            except FileNotFoundError as error:
                raise ArtifactError(f"{self.image}: {error}; make it first") from error

    def _superblock(self) -> Superblock:
        return read_superblock(self.image, self.offset)

    def _existing(self, entry: Entry) -> Inode:
        if entry.inode is None:
            raise ArtifactError(f"{self.image}: {entry.path}: no such file or directory")
        return entry.inode

    def _require_file(self, inode: Inode, path: str) -> None:
        if inode.kind != "file":
            what = "a directory" if inode.kind == "directory" else "not a regular file"
            raise ArtifactError(f"{self.image}: {path}: is {what}; name a file")
        if inode.is_encrypted:
            raise ArtifactError(f"{self.image}: {path}: is encrypted; its key is on the device")

    def _require_room(self, source: Path, old: Inode | None, path: str) -> None:
        """Refuse before anything changes. The file's own block map is not counted."""
        size = data_size(source)
        super_ = self._superblock()
        freed = old.allocated if old and old.links == 1 else 0
        room = super_.free_blocks * super_.block_size + freed
        if size > room or (old is None and super_.free_inodes == 0):
            raise ArtifactError(
                f"{self.image}: {path}: no space left: {size} B to write, {room} B and "
                f"{super_.free_inodes} files free; make the filesystem larger"
            )

    def _saved_attributes(
        self, place: Path, inode: Inode, *, everything: bool
    ) -> tuple[tuple[str, str], ...]:
        """Write extended attributes into files of the workplace; gives (file, attribute)."""
        saved = []
        for number, name in enumerate(attribute_names(place, self.offset, inode)):
            if not (everything or name == _LABEL):
                continue
            file = f"attribute{number}"
            debugfs.ask(
                place, self.offset, "ea_get", "-f", str(place / file), "-r", inode.address, name
            )
            saved.append((file, name))
        return tuple(saved)

    def _change(self, place: Path, entry: Entry, words: tuple[str, ...], *, what: str) -> None:
        try:
            debugfs.change(place, self.offset, [("cd", entry.directory.address), words])
        except debugfs.DebugfsError as error:
            raise self._failed(f"{what}: cannot {words[0]}", error) from error

    def _failed(self, what: str, error: debugfs.DebugfsError) -> ArtifactError:
        if "Could not allocate" in error.said:
            return ArtifactError(f"{self.image}: {what}: no space left; make the filesystem larger")
        return ArtifactError(f"{self.image}: {what}: {error.said}")
