# SPDX-License-Identifier: Apache-2.0
"""Makes the boot partition, in place on an image: vfat, by mkfs.vfat and mtools."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from ota_artifact.errors import ProgramError
from ota_artifact.image.vfat import checked_names, mtools
from ota_artifact.image.workplace import find_program, workplace
from ota_artifact.layout import SECTOR, Area
from ota_artifact.run import run
from ota_artifact.size import format_size
from ota_image.errors import ImageError

_TIMEOUT = 300.0  # [s]
_LABEL = "BOOT"
_FAT16 = 4 << 20  # [B] from where on there are clusters enough for it
_FAT32 = 512 << 20  # [B] from where on FAT16 would waste space
_MOST_CLUSTERS = 65000  # of FAT16, a little less than can be

Content = Path | bytes
"""What a file holds: that of a file of the host, or these bytes."""


def make_boot(
    disk: Path, area: Area, files: Mapping[str, Content], *, number: int, time: int
) -> None:
    """Make the filesystem of a partition.

    Args:
        files: by path on the partition.
        number: of the volume.
        time: that its files carry [s since 1970].

    Raises:
        ImageError: a file is missing, vfat cannot have its name, or the files do not fit.
        ProgramError: mkfs.vfat or mtools is missing or fails.
    """
    names = sorted((checked_names(f"/{path}"), content) for path, content in files.items())
    _check(area, files)
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
    folders = sorted({each[:depth] for each, _ in names for depth in range(1, len(each))})
    try:
        with workplace(disk) as place:
            if folders:
                mtools(place, area.offset, "mmd", *map(_target, folders), environment=times)
            for folder in ((), *folders):
                inside = [(each[-1], content) for each, content in names if each[:-1] == folder]
                _copy(place, area, folder, inside, times)
    except ProgramError as error:
        if "Disk full" in str(error) or "No free cluster" in str(error):
            raise ImageError(
                f"boot partition: {format_size(area.size)} are too small for its files; make"
                " partitions.boot larger"
            ) from error
        raise


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
