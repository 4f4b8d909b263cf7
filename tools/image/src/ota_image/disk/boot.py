# SPDX-License-Identifier: Apache-2.0
"""Makes the boot partition, in place on an image: vfat, by mkfs.vfat and mtools.

The copies of a state that is in files must not share what one write may take with it: a power cut
garbles a card's block of 4 KiB, or its group of 128 KiB. An empty vfat gives out its clusters in
order, so that files of padding between them keep them apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from ota_artifact.errors import ProgramError
from ota_artifact.image.vfat import checked_names, mtools
from ota_artifact.image.workplace import find_program, workplace
from ota_artifact.layout import SECTOR, Area
from ota_artifact.run import run
from ota_artifact.size import format_size
from ota_board.grub import DISTANCE
from ota_image.errors import ImageError

_TIMEOUT = 300.0  # [s]
_LABEL = "BOOT"
_FAT16 = 4 << 20  # [B] from where on there are clusters enough for it
_FAT32 = 512 << 20  # [B] from where on FAT16 would waste space
_PADDING = "keep-apart"  # a folder of its own: one that grows takes a cluster in between
_MOST_CLUSTERS = 65000  # of FAT16, a little less than can be

Content = Path | bytes
"""What a file holds: that of a file of the host, or these bytes."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What is written at once: files by path, and folders, even if they have none of them."""

    files: Mapping[str, Content]
    folders: tuple[str, ...] = ()


def make_boot(
    disk: Path,
    area: Area,
    files: Mapping[str, Content],
    *,
    number: int,
    time: int,
    apart: Sequence[str] = (),
) -> None:
    """Make the filesystem of a partition.

    Args:
        files: by path on the partition.
        apart: folders or files among them, each at least 256 KiB from all others on the disk.
        number: of the volume.
        time: that its files carry [s since 1970].

    Raises:
        ImageError: a file is missing, vfat cannot have its name, or the files do not fit.
        ProgramError: mkfs.vfat or mtools is missing or fails.
    """
    groups = _groups(files, apart)
    _check(area, {path: content for each in groups for path, content in each.files.items()})
    # --invariant for the label's time, and before -i, whose number it would replace.
    argv = (
        find_program("mkfs.vfat", package="dosfstools"),
        *("--offset", str(area.offset // SECTOR), "-h", str(area.offset // SECTOR)),
        *_geometry(area.size),
        *("--mbr=n", "--invariant", "-i", f"{number:08x}", "-n", _LABEL),
        *(str(disk), str(area.size // 1024)),
    )
    times = {"SOURCE_DATE_EPOCH": str(time)}
    run(argv, timeout=_TIMEOUT, environment={"LC_ALL": "C"})
    made: set[tuple[str, ...]] = set()
    try:
        with workplace(disk) as place:
            for group in groups:
                names = sorted((checked_names(f"/{path}"), it) for path, it in group.files.items())
                folders = {each[:depth] for each, _ in names for depth in range(1, len(each))}
                folders |= {checked_names(each) for each in group.folders} - {()}
                if new := sorted(folders - made):
                    mtools(place, area.offset, "mmd", *map(_target, new), environment=times)
                made |= folders
                for folder in ((), *sorted(folders)):
                    inside = [(each[-1], content) for each, content in names if each[:-1] == folder]
                    _copy(place, area, folder, inside, times)
    except ProgramError as error:
        if "Disk full" in str(error) or "No free cluster" in str(error):
            raise ImageError(
                f"boot partition: {format_size(area.size)} are too small for its files; make"
                " partitions.boot larger"
            ) from error
        raise


def _groups(files: Mapping[str, Content], apart: Sequence[str]) -> list[_Group]:
    """The files in the order in which they are written, with padding around each that is apart.

    A folder is apart from its own files too: it can then outlive them, so that they can be written
    again where they were.
    """
    if not apart:
        return [_Group(files)]
    rest, groups = dict(files), list[_Group]()
    for path in apart:
        inside = {name: rest.pop(name) for name in files if _is_below(name, path)}
        if path not in map(_absolute, inside):
            groups.append(_Group({}, (path,)))
        groups.append(_Group(inside))
    padded = [_Group(rest, tuple({str(PurePosixPath(path).parent) for path in apart}))]
    for number, group in enumerate(groups):
        padded += [_padding(number), group]
    return [*padded, _padding(len(groups))]


def _padding(number: int) -> _Group:
    return _Group({f"{_PADDING}/{number}": bytes(DISTANCE)})


def _absolute(name: str) -> str:
    return str(PurePosixPath("/", name))


def _is_below(name: str, path: str) -> bool:
    return PurePosixPath(_absolute(name)).is_relative_to(path)


def _copy(
    place: Path,
    area: Area,
    folder: tuple[str, ...],
    files: list[tuple[str, Content]],
    times: Mapping[str, str],
) -> None:
    """Copy files into one folder, in order."""
    if not files:
        return
    with TemporaryDirectory(prefix="ota-boot-") as name:
        staged = []
        for number, (own, content) in enumerate(files):
            (Path(name) / str(number)).mkdir()
            path = Path(name) / str(number) / own
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.symlink_to(content.absolute())
            staged.append(str(path))
        mtools(place, area.offset, "mcopy", "-n", "-o", *staged, _target(folder), environment=times)


def _check(area: Area, files: Mapping[str, Content]) -> None:
    size = 0
    seen: dict[str, str] = {}
    for path, content in files.items():
        folded = str(PurePosixPath("/", path)).casefold()
        if folded in seen:
            raise ImageError(f"boot partition: {path} and {seen[folded]} are one name on vfat")
        seen[folded] = path
        if isinstance(content, Path) and not content.is_file():
            raise ImageError(f"{content}: no such file; it is to be {path} on the boot partition")
        size += content.stat().st_size if isinstance(content, Path) else len(content)
    if size > area.size:
        raise ImageError(
            f"boot partition: its files have {size} B, it has {area.size} B; make partitions.boot"
            " larger"
        )


def _geometry(size: int) -> tuple[str, ...]:
    """The kind of FAT and its sectors in a cluster; mkfs.vfat would go by the whole disk."""
    if size >= _FAT32:
        return "-F", "32", "-s", "8"
    if size < _FAT16:
        return "-F", "12", "-s", "4"
    cluster = 1
    while size // SECTOR // cluster > _MOST_CLUSTERS:
        cluster *= 2
    return "-F", "16", "-s", str(cluster)


def _target(names: tuple[str, ...]) -> str:
    return f"::/{'/'.join(names)}"
