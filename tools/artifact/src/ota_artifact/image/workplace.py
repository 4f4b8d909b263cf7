# SPDX-License-Identifier: Apache-2.0
"""A private folder in which programs work on an image, so that they see no given name."""

import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.output import is_stdout, naming

_ADMINISTRATION = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where e2fsprogs is; on Debian not on the PATH of an ordinary user."""


@contextmanager
def workplace(image: Path) -> Iterator[Path]:
    """A private folder for the time of one operation; in it, `image` is a link to the image.

    The programs take options from an image's name ("?offset=" in e2fsprogs, "@@" in mtools), and
    split their input at quotes and line breaks; mtools has a shell read "$", "*" and "\\", and ends
    a name at "|". In this folder they see names that we chose, whatever the image, the source and
    the destination are called.

    Raises:
        ProgramError: the path of the folder for temporary files has such characters.
    """
    with tempfile.TemporaryDirectory(prefix="ota-image-") as name:
        if re.search(r"[?$\\|*\n\r]|@@", name) or len(os.fsencode(name)) > 200:
            raise ProgramError(f"{name!r}: cannot work here; set TMPDIR to a short, plain path")
        place = Path(name)
        (place / "image").symlink_to(image.absolute())
        yield place


def find_program(name: str, *, package: str) -> str:
    """The program's full path, also from folders that only root has on its PATH.

    Raises:
        ProgramError: it is not installed.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_ADMINISTRATION))
    found = shutil.which(name, path=path)
    if found is None:
        raise ProgramError(f"{name}: not found; install the package {package}")
    return found


@contextmanager
def delivered(destination: Path) -> Iterator[Path]:
    """Give a path to write to; the file becomes the destination at the end, or not at all.

    A destination other than a regular file, such as a pipe or /dev/stdout, gets the bytes.

    Raises:
        ArtifactError: the destination is a directory, or its directory does not exist.
        OSError: it cannot be written.
    """
    if destination.is_dir():
        raise ArtifactError(f"{destination}: is a directory; name the file to write")
    target = destination.resolve() if destination.is_file() else destination
    is_output = is_stdout(destination)
    is_stream = is_output or (target.exists() and not target.is_file())
    if not is_stream and not target.parent.is_dir():
        raise ArtifactError(f"{destination.parent}: no such directory; make it first")
    folder = None if is_stream else target.absolute().parent
    with naming(destination, target.parent):
        handle, name = tempfile.mkstemp(prefix=".ota-", suffix=".part", dir=folder)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        if is_stream:
            sys.stdout.flush()
            into = io.FileIO(1, "wb", closefd=False) if is_output else target.open("wb")
            with part.open("rb") as source, into as stream:
                shutil.copyfileobj(source, stream)
        else:
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def source_file(source: Path) -> os.stat_result:
    """The status of a file of the host that goes into an image.

    Raises:
        ArtifactError: it is missing, or not a regular file.
    """
    if not source.exists():
        raise ArtifactError(f"{source}: no such file")
    if not source.is_file():
        raise ArtifactError(f"{source}: not a regular file; only those can be written to an image")
    return source.stat()


def build_time() -> int | None:
    """The time that changes get, SOURCE_DATE_EPOCH [s]; None: the clock's.

    Source: https://reproducible-builds.org/specs/source-date-epoch/

    Raises:
        ArtifactError: the variable is set and is not a number.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ArtifactError(
            f"SOURCE_DATE_EPOCH={text!r}: not seconds since 1970; unset or correct it"
        )
    return int(text)
