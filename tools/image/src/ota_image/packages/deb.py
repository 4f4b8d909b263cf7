# SPDX-License-Identifier: Apache-2.0
"""Reads the files of a Debian package, without running any of its programs.

Source: deb(5): an ar archive of debian-binary, control.tar and data.tar; ar(5).
"""

import io
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from ota_artifact.run import run
from ota_image.errors import ImageError, WorldError
from ota_image.packages.apt import Package, digest_of, package_file

_MAGIC = b"!<arch>\n"
_HEADER = 60  # [B]


def verify_file(package: Package) -> Path:
    """Check the digest of a package in the cache; gives its path.

    Raises:
        WorldError: it is damaged. It is removed then, so that the next build downloads it.
        OSError: it cannot be read.
    """
    path = package_file(package)
    if digest_of(path) != package.sha256:
        path.unlink()
        raise WorldError(f"{path}: {package.name} was damaged and has been removed; build again")
    return path


def built_at(path: Path) -> int:
    """When a package was built [s since 1970]: the time of its first member.

    Raises:
        ImageError: it is not a Debian package.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(len(_MAGIC) + _HEADER)
    text = head[len(_MAGIC) + 16 :][:12].strip()  # Source: ar(5), the time
    if not head.startswith(_MAGIC) or not text.isdigit():
        raise ImageError(f"{path}: is not a Debian package")
    return int(text)


@contextmanager
def open_deb(path: Path) -> Iterator[tarfile.TarFile]:
    """The files of a package, as a stream.

    Raises:
        ImageError: it is not a Debian package.
    """
    with path.open("rb") as file:
        name, size = _find_data(file, path)
        form = name.removeprefix("data.tar")
        if form == ".xz":
            data = cast(IO[bytes], lzma.LZMAFile(cast(IO[bytes], _Member(file, size))))  # noqa: SIM115
        elif form == "":
            data = cast(IO[bytes], _Member(file, size))
        else:  # dpkg knows every compression, but gives all data at once
            data = io.BytesIO(run(("dpkg-deb", "--fsys-tarfile", path), timeout=600))
        try:
            with data, tarfile.open(fileobj=data, mode="r|") as tar:
                yield tar
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise ImageError(f"{path}: is not a Debian package: {error}") from error


class _Member(io.RawIOBase):
    """A part of a file, which reads to its end and no further."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        return data


def _find_data(file: IO[bytes], path: Path) -> tuple[str, int]:
    """Name and size [B] of data.tar; the file is at its start then."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ImageError(f"{path}: is not a Debian package")
    while len(header := file.read(_HEADER)) == _HEADER:
        name = header[:16].decode("ascii", "replace").rstrip("/ ")
        size = int(header[48:58])
        if name.startswith("data.tar"):
            return name, size
        file.seek(size + size % 2, io.SEEK_CUR)
    raise ImageError(f"{path}: is not a Debian package: it has no data.tar")
