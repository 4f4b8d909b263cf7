# SPDX-License-Identifier: Apache-2.0
"""Finds the modules that a kernel needs, and their order, by reading the modules themselves.

Source: Linux, Documentation/kbuild/modules.rst (modinfo); the ELF specification, "Sections".
"""

import lzma
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ota_image.errors import ImageError

LISTS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")
"""The lists that come with a kernel; depmod makes the others."""

_SUFFIXES = (".ko", ".ko.xz")


@dataclass(frozen=True, slots=True)
class Module:
    """One module.

    Attributes:
        name: as the kernel writes it, with ``_``.
        path: of its file.
    """

    name: str
    path: Path

    def image(self) -> bytes:
        """The module itself, decompressed.

        Raises:
            ImageError: it is damaged.
            OSError: it cannot be read.
        """
        data = self.path.read_bytes()
        try:
            return lzma.decompress(data) if self.path.suffix == ".xz" else data
        except lzma.LZMAError as error:
            raise ImageError(f"cannot be decompressed: {error}") from error


class Modules:
    """The modules of one kernel.

    Attributes:
        folder: ``…/lib/modules/<version>``.
    """

    def __init__(self, folder: Path) -> None:
        """Read the names of the modules in the folder.

        Raises:
            OSError: the folder cannot be read.
        """
        self.folder = folder
        self._paths = {
            _name(path): path
            for path in sorted(folder.rglob("*.ko*"))
            if path.name.endswith(_SUFFIXES)
        }
        builtin = folder / "modules.builtin"
        lines = builtin.read_text("utf-8", "replace").splitlines() if builtin.exists() else []
        self._builtin = {_name(Path(line)) for line in lines}

    def has(self, name: str) -> bool:
        """Whether the kernel has a module, or has it built in."""
        return normal(name) in self._paths or normal(name) in self._builtin

    def needed(self, names: Iterable[str]) -> tuple[Module, ...]:
        """The modules with these names and everything that they need, each after what it needs.

        Modules that are built in are left out.

        Raises:
            ImageError: the kernel has no module of that name.
        """
        order: dict[str, Module] = {}
        for name in names:
            if not self.has(name):
                raise ImageError(f"{name}: kernel {self.folder.name} has no such module")
            self._follow(normal(name), order, ())
        return tuple(order.values())

    def _follow(self, name: str, order: dict[str, Module], way: tuple[str, ...]) -> None:
        path = self._paths.get(name)
        if path is None or name in order or name in way:
            return
        module = Module(name, path)
        try:
            needs = dependencies(module.image())
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
        for each in needs:
            self._follow(normal(each), order, (*way, name))
        order[name] = module


def dependencies(image: bytes) -> Sequence[str]:
    """The modules that a module needs: its ``depends``, and its ``softdep`` that load before it.

    Raises:
        ImageError: it is not a module.
    """
    found: list[str] = []
    for line in modinfo(image):
        key, _, value = line.partition("=")
        if key == "depends":
            found += [each for each in value.split(",") if each]
        elif key == "softdep":
            _, _, before = value.partition("pre:")
            found += before.partition("post:")[0].split()
    return found


def modinfo(image: bytes) -> list[str]:
    """The ``name=value`` texts of a module's section .modinfo.

    Raises:
        ImageError: it is not an ELF file, or has no such section.
    """
    try:
        if image[:4] != b"\x7fELF" or image[5] != 1:  # 1: little-endian
            raise ImageError("this kernel module is not an ELF file of a little-endian machine")
        is_64 = image[4] == 2
        offset = struct.unpack_from("<Q" if is_64 else "<I", image, 40 if is_64 else 32)[0]
        size, count, names = struct.unpack_from("<HHH", image, 58 if is_64 else 46)
        places = []
        for index in range(count):
            begin = offset + index * size
            name = struct.unpack_from("<I", image, begin)[0]
            form, where = ("<QQ", 24) if is_64 else ("<II", 16)
            places.append((name, *struct.unpack_from(form, image, begin + where)))
        table = places[names][1]
        for name, begin, length in places:
            if image[table + name : table + name + 9] == b".modinfo\0":
                texts = image[begin : begin + length].split(b"\0")
                return [text.decode("utf-8", "replace") for text in texts if text]
    except (struct.error, IndexError, OverflowError) as error:
        raise ImageError("this kernel module is cut off") from error
    raise ImageError("this kernel module has no section .modinfo")


def _name(path: Path) -> str:
    return normal(path.name.partition(".ko")[0])


def normal(name: str) -> str:
    """The name of a module as the kernel writes it."""
    return name.replace("-", "_")
