# SPDX-License-Identifier: Apache-2.0
"""Files and folders that survive a power cut."""

import os
from collections.abc import Iterable
from pathlib import Path


def write_file(path: Path, chunks: Iterable[bytes], *, mode: int = 0o600) -> None:
    """Write a new file; its content is on the disk afterwards, its name with `sync_folder`.

    Raises:
        FileExistsError: there is one of that name.
        OSError: no space, or the disk fails.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(file, mode)  # whatever the umask is
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)


def replace_file(path: Path, chunks: Iterable[bytes], *, mode: int = 0o600) -> None:
    """Write a file in the place of one that may be there: after a power cut it is one of both.

    Raises:
        OSError: no space, or the disk fails.
    """
    new = path.with_name(f".{path.name}.new")
    remove_folder(new)
    write_file(new, chunks, mode=mode)
    new.replace(path)
    sync_folder(path.parent)


def aside(path: Path) -> Path:
    """Where `put_aside` puts it."""
    return Path(f"{path}.broken")


def put_aside(path: Path) -> None:
    """Give what is damaged another name, whatever it is; what was put aside before goes.

    Raises:
        OSError: the disk fails.
    """
    remove_folder(aside(path))
    path.replace(aside(path))


def sync_folder(*folders: Path) -> None:
    """Have the names in folders on the disk.

    Raises:
        OSError: the disk fails.
    """
    for folder in folders:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def remove_folder(folder: Path) -> None:
    """Take a folder away with all that is in it; harmless if it is not there.

    Raises:
        OSError: something in it cannot be removed.
    """
    import shutil

    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    shutil.rmtree(folder)
