# SPDX-License-Identifier: Apache-2.0
"""A disk image that appears whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ota_image.cache import one_error_if_full
from ota_image.errors import ImageError

_NOT_HERE = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)
"""How a kernel or a filesystem says that it does not support files without a name."""


@contextmanager
def whole_disk(output: Path, size: int) -> Iterator[Path]:
    """An empty disk of a size [B] to be filled, which becomes ``output`` when the block ends well.

    Where the filesystem allows it, the disk has no name until then, and even a killed process
    leaves no file; the path leads to it through the process that has it open.

    Raises:
        ImageError: the output cannot be a file there.
        OSError: no space, or the folder cannot be written.
    """
    target = Path(os.path.realpath(output))
    if target.exists() and not target.is_file():
        raise ImageError(f"{output}: is not a file; name one, and write it to a card with `flash`")
    if not target.parent.is_dir():
        raise ImageError(f"{output.parent}: no such folder; make it first")
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            _require_real_paths()
            file = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o666, dir_fd=folder)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                error.filename = str(target.parent)
                raise
            with _named(target, size) as path, one_error_if_full(target.parent):
                yield path
        else:
            with os.fdopen(file, "rb", closefd=True), one_error_if_full(target.parent):
                os.ftruncate(file, size)
                yield Path(f"/proc/{os.getpid()}/fd/{file}")
                os.fsync(file)
                _publish(file, target, folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def _require_real_paths() -> None:
    """Yocto's pseudo keeps books by name, and cannot give one to a file that has none."""
    if "pseudo" in os.environ.get("LD_PRELOAD", ""):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


def _publish(file: int, target: Path, folder: int) -> None:
    """Give an open file without a name its own, in the place of what has it."""
    source = f"/proc/self/fd/{file}"
    temporary = f".{target.name[:200]}.{os.getpid()}"
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    # Only with folders given does Python follow the link to the file. Source: linkat(2)
    os.link(source, temporary, src_dir_fd=folder, dst_dir_fd=folder)
    try:
        os.rename(temporary, target.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise


@contextmanager
def _named(target: Path, size: int) -> Iterator[Path]:
    """The same with a name that begins with a dot."""
    file, name = tempfile.mkstemp(prefix=f".{target.name[:200]}.", dir=target.parent)
    try:
        with os.fdopen(file, "rb"):
            os.ftruncate(file, size)
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(file, 0o666 & ~mask)
            yield Path(name)
            os.fsync(file)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
