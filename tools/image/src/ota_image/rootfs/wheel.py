# SPDX-License-Identifier: Apache-2.0
"""Reads Python wheels, which may be hostile: their metadata, commands and files.

Source: Python Packaging User Guide, "Binary distribution format", "Core metadata specifications",
"Entry points specification".
"""

import configparser
import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ota_artifact.size import MIB, format_size
from ota_image.errors import ImageError

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata

_T = TypeVar("_T")
_METADATA = 1 * MIB
"""The longest METADATA that is read [B]; the agent's has 2 KiB."""
_UNPACKED = 64 * MIB
"""The most that a wheel may unpack to [B]; the agent has 1 MiB."""
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""With other methods zipfile unpacks a whole member at once, however long it is."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)
_ENCRYPTED = 1  # Source: APPNOTE.TXT, 4.4.4, bit 0
_COMMAND = re.compile(r"(?!\.{1,2}$)[\w.-]+", re.ASCII)
_OBJECT = re.compile(r"([\w.]+)\s*:\s*([\w.]+)(?:\s*\[[^\[\]\n]*\])?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One distribution of Python.

    Attributes:
        name: in the normal spelling.
        tags: the interpreters that it is for, such as ``py3-none-any``.
        python: the versions of Python that it needs; empty for any.
        needs: the distributions that it needs, each with its versions and condition.
        sha256: of the file [hex].
    """

    path: Path
    name: str
    version: str
    tags: tuple[str, ...]
    python: str
    needs: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a wheel."""

    name: str
    data: bytes
    is_executable: bool


def read_wheel(path: Path) -> Wheel:
    """Read and check a wheel's metadata.

    Raises:
        ImageError: it is not a wheel, is for one kind of machine, contradicts itself, or has
            members that a wheel must not have.
        OSError: it cannot be read.
    """
    from packaging.utils import canonicalize_name, parse_wheel_filename
    from packaging.version import Version

    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except ValueError as error:
        raise ImageError(f"{path}: is not a wheel: {error}; restore its name") from error
    if not any(tag.abi == "none" and tag.platform == "any" for tag in tags):
        raise ImageError(
            f"{path}: is for one kind of machine; give a wheel for all,"
            f" {path.name.partition('-')[0]}-{version}-py3-none-any.whl"
        )
    meta = _metadata(path)
    said, number = canonicalize_name(meta["name"]), meta["version"]
    if said != name or _parsed(path, "Version", number, Version) != version:
        raise ImageError(
            f"{path}: has the metadata of {said} {number}, and the name of {name} {version}"
        )
    needs, python = tuple(meta.get("requires_dist", ())), meta.get("requires_python", "")
    _check_needs(path, needs, python)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Wheel(
        path=path,
        name=name,
        version=number,
        tags=tuple(sorted(str(tag) for tag in tags)),
        python=python,
        needs=needs,
        sha256=digest,
    )


def contents(wheel: Wheel) -> Iterator[Member]:
    """The files of a wheel.

    Raises:
        ImageError: one is damaged.
        OSError: the wheel cannot be read.
    """
    with _open(wheel.path) as archive:
        for each in archive.infolist():
            if not each.is_dir():
                is_executable = bool(each.external_attr >> 16 & 0o100)
                yield Member(each.filename, _read(archive, each), is_executable)


def commands(wheel: Wheel) -> Iterator[tuple[str, str, str]]:
    """The commands of a wheel: name, module and function.

    Raises:
        ImageError: the list cannot be parsed, or a line is not a command and a function.
        OSError: the wheel cannot be read.
    """
    points = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    points.optionxform = str  # type: ignore[method-assign,assignment]  # as they are written
    for member in contents(wheel):
        if member.name.endswith(".dist-info/entry_points.txt"):
            place = f"{wheel.path}: {member.name}"
            try:
                points.read_string(member.data.decode())
            except (configparser.Error, UnicodeDecodeError) as error:
                raise ImageError(f"{place}: cannot be parsed: {error}") from error
            section = points["console_scripts"] if points.has_section("console_scripts") else {}
            for name, value in section.items():
                function = _OBJECT.fullmatch(value)
                if not function or not _COMMAND.fullmatch(name):
                    raise ImageError(f"{place}: {name} = {value!r} is not a command and a function")
                yield name, function[1], function[2]


def _metadata(path: Path) -> "RawMetadata":
    """METADATA, which has a name and a version; newer versions of the format are read too."""
    from packaging.metadata import parse_email

    with _open(path) as archive:
        found = [
            each for each in archive.infolist() if each.filename.endswith(".dist-info/METADATA")
        ]
        if len(found) != 1:
            raise ImageError(f"{path}: is not a wheel: it has {len(found)} files METADATA")
        if found[0].file_size > _METADATA:
            raise ImageError(
                f"{path}: has a METADATA of {found[0].file_size} B; the limit is"
                f" {format_size(_METADATA)}"
            )
        meta, _ = parse_email(_read(archive, found[0]))
    for key in ("name", "version"):
        if key not in meta:
            raise ImageError(f"{path}: its METADATA has no {key.title()}")
    return meta


def _check_needs(path: Path, needs: tuple[str, ...], python: str) -> None:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    for need in needs:
        _parsed(path, "Requires-Dist", need, Requirement)
    _parsed(path, "Requires-Python", python, SpecifierSet)


def _parsed(path: Path, field: str, text: str, parse: Callable[[str], _T]) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise ImageError(f"{path}: {field}: {text!r} cannot be parsed: {error}") from error


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the archive and check the list of its members."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive.infolist())
            yield archive
    except _DAMAGED as error:
        raise ImageError(f"{path}: is not a wheel: {error}") from error


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    seen = set()
    for each in members:
        name = each.filename.removesuffix("/")
        parts = name.split("/")
        if not name.isprintable() or "\\" in name or {"", ".", ".."} & {*parts}:
            raise ImageError(f"{path}: {each.filename!r} is not a path inside a wheel")
        if name in seen:
            raise ImageError(f"{path}: {name!r} is in it twice")
        seen.add(name)
        if each.flag_bits & _ENCRYPTED:
            raise ImageError(f"{path}: is not a wheel: {name} is encrypted")
        if each.compress_type not in _BOUNDED:
            raise ImageError(f"{path}: {name}: is compressed by a method other than deflate")
    size = sum(each.file_size for each in members)
    if size > _UNPACKED:
        raise ImageError(
            f"{path}: would unpack to {size // MIB} MiB; the limit is {_UNPACKED // MIB} MiB"
        )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Unpack a member, but no more of it than the size that was checked."""
    with archive.open(member) as file:
        return file.read(member.file_size + 1)
