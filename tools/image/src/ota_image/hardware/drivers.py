# SPDX-License-Identifier: Apache-2.0
"""What a kernel can drive: by its modules' aliases, and by the tables in the kernel itself.

Source: Linux, scripts/mod/file2alias.c (aliases) and include/linux/mod_devicetable.h (tables).
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ota_image.hardware.device_tree import Node

_OF = re.compile(r"of:N.*?T.*?C(?P<compatible>[^*]+)")
_USB = re.compile(r"usb:v([0-9A-F]{4})p([0-9A-F]{4})d.*")
_ENTRY = re.compile(rb"(?<=\0)[!-~]{3,119}(?=\0{9})")
_ROOM = 128  # [B] of of_device_id.compatible
_LONGEST = 256  # [B] of an alias. Source: Linux, include/linux/mod_devicetable.h: 32, 32 and 128
_ARM64_AT, _ARM64 = 56, b"ARM\x64"  # Source: Linux, Documentation/arch/arm64/booting.rst


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """The drivers of one kernel.

    Attributes:
        version: of the kernel.
        matches: modules by what a node is compatible with.
        paths: of modules, such as ``kernel/drivers/mmc/host/bcm2835.ko``, by name.
        builtin: the names of those in the kernel itself.
        tables: what the kernel itself has drivers, or at least tables, for; empty if it cannot be
            unpacked.
        is_arm64: it is a kernel for 64-bit ARM.
    """

    version: str
    matches: Mapping[str, tuple[str, ...]]
    paths: Mapping[str, str]
    builtin: frozenset[str]
    tables: frozenset[str]
    is_arm64: bool

    def modules(self, node: Node) -> tuple[str, ...]:
        """The modules for the most specific thing that any driver takes the node for.

        None if a driver in the kernel itself takes it for something more specific.
        """
        for compatible in node.compatible:
            if found := self.matches.get(compatible):
                return found
            if compatible in self.tables:
                return ()
        return ()

    def all_modules(self, node: Node) -> frozenset[str]:
        """Every module that would take the node, however loosely."""
        return frozenset(name for each in node.compatible for name in self.matches.get(each, ()))

    def is_builtin(self, node: Node) -> bool:
        """Whether the kernel itself has a driver, or at least a table, with the node in it."""
        return not self.tables.isdisjoint(node.compatible)


def drivers_of(
    version: str,
    *,
    aliases: str,
    modules: Iterable[str],
    builtin: Iterable[str],
    image: bytes,
) -> Drivers:
    """The drivers of a kernel, by depmod's and its own lists.

    Args:
        aliases: the text of ``modules.alias``.
        modules: the paths of modules, as in ``modules.dep``.
        builtin: the paths in ``modules.builtin``.
        image: the unpacked kernel; empty if that is unknown.
    """
    matches: dict[str, dict[str, None]] = {}
    for line in aliases.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "alias" and (name := _compatible(words[1])):
            matches.setdefault(name, {})[module_name(words[2])] = None
    return Drivers(
        version=version,
        matches={name: tuple(found) for name, found in matches.items()},
        paths={module_name(path): path for path in modules},
        builtin=frozenset(map(module_name, builtin)),
        tables=frozenset(_tables(image)),
        is_arm64=image[_ARM64_AT : _ARM64_AT + 4] == _ARM64,
    )


def _tables(image: bytes) -> Iterator[str]:
    """The entries of tables of nodes: each text is alone in the room that it has."""
    for match in _ENTRY.finditer(image):
        if image[match.start() : match.start() + _ROOM] == match[0].ljust(_ROOM, b"\0"):
            yield match[0].decode("ascii")


def _compatible(alias: str) -> str:
    """What a node with that alias is compatible with; empty for one that is not in device trees.

    Source: Linux, Documentation/devicetree/bindings/usb/usb-device.yaml (``usb424,ec00``).
    """
    if len(alias) > _LONGEST:
        return ""
    if match := _OF.fullmatch(alias):
        return match["compatible"]
    if match := _USB.fullmatch(alias):
        return f"usb{int(match[1], 16):x},{int(match[2], 16):x}"
    return ""


def module_name(path: str) -> str:
    """What the kernel calls the module of a file, such as ``sdhci_pci``."""
    return posixpath.basename(path).partition(".ko")[0].replace("-", "_")
