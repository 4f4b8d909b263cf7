# SPDX-License-Identifier: Apache-2.0
"""What a slot holds: its release, and what starts it."""

import posixpath
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.contract import ARGUMENT, LOGIC
from ota_artifact.device_files import MENDER_INFO, RELEASE
from ota_artifact.grub_block import decode_block
from ota_artifact.provides import NAME
from ota_board import grub
from ota_board.entry import EXTLINUX
from ota_image.disk.image import Part, open_disk
from ota_image.errors import ImageError

_KEYWORDS = ("kernel", "initrd", "fdt", "fdtdir", "append")
_KERNEL = re.compile(r"(?:vmlinu[xz]|[bz]?Image|uImage|fitImage|kernel)(?:[-.].*)?")

_LOGIC = f"{ARGUMENT}=${{{LOGIC}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extlinux:
    """The first entry of an extlinux.conf, or what GRUB reads; each path absolute in the slot.

    Attributes:
        file: which of the two, by its path in the slot.
        fdt: the device tree; empty if it is chosen otherwise.
        fdtdir: the folder of device trees.
        append: the kernel's arguments.
    """

    kernel: str = ""
    initrd: str = ""
    fdt: str = ""
    fdtdir: str = ""
    append: str = ""
    file: str = EXTLINUX


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A root filesystem on a disk.

    Attributes:
        part: where it is.
        is_empty: whether it has no files, as slot B from the factory.
        artifact: name of the artifact that it came from; empty if that is unknown.
        system: what it calls itself, such as ``Debian GNU/Linux 12 (bookworm)``.
        suite: the code name of its release; empty if it does not say.
        recipe: the name of the recipe that it was built from; empty if that is unknown.
        kernels: names in its /boot.
        modules: versions of the kernel for which it has modules.
        extlinux: what the bootloader reads; None if there is none.
    """

    part: Part
    is_empty: bool
    artifact: str
    system: str
    suite: str
    recipe: str
    kernels: tuple[str, ...]
    modules: tuple[str, ...]
    extlinux: Extlinux | None


def read_slot(part: Part, *, is_grub: bool = False) -> Slot:
    """Look into a slot; what is missing or unreadable is empty.

    Args:
        is_grub: its bootloader is GRUB.
    """
    names = part.names("/")
    text = part.text(grub.ENTRY if is_grub else EXTLINUX)
    release = part.text("/etc/os-release")
    parse = parse_grub if is_grub else parse_extlinux
    return Slot(
        part=part,
        is_empty=not set(names) - {"lost+found"},
        artifact=_value(part.text(MENDER_INFO), NAME),
        system=_value(release, "PRETTY_NAME"),
        suite=_value(release, "VERSION_CODENAME"),
        recipe=_value(part.text(RELEASE), "image"),
        kernels=tuple(name for name in part.names("/boot") if _KERNEL.fullmatch(name)),
        modules=part.names("/lib/modules"),
        extlinux=None if text is None else parse(text),
    )


def filled_slots(image: Path) -> tuple[Slot, ...]:
    """The slots with files of a disk image or a filesystem; none if it is not one of ours."""
    with suppress(ImageError):
        slots = map(read_slot, open_disk(image).slots)
        return tuple(slot for slot in slots if not slot.is_empty)
    return ()


def parse_extlinux(text: str) -> Extlinux:
    """The first entry. Source: U-Boot, boot/pxe_utils.c; keywords in either case."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        keyword, _, value = line.strip().replace("\t", " ").partition(" ")
        name = {"linux": "kernel", "devicetree": "fdt", "devicetreedir": "fdtdir"}.get(
            keyword.lower(), keyword.lower()
        )
        if name in _KEYWORDS and value.strip():
            found.setdefault(name, value.strip())
    for name in {"kernel", "initrd", "fdt", "fdtdir"} & set(found):
        path = found[name].partition("#")[0] if name == "kernel" else found[name]
        found[name] = posixpath.normpath(posixpath.join("/boot/extlinux", path))
    return Extlinux(**found)


def parse_grub(text: str) -> Extlinux:
    """What GRUB reads, with the arguments that the boot logic adds."""
    found = decode_block(text.encode()) or {}
    arguments = f"{found.get('arguments', '')} root=${{mender_kernel_root}} {_LOGIC}".strip()
    return Extlinux(
        kernel=found.get("kernel", ""),
        initrd=found.get("initrd", ""),
        append=arguments,
        file=grub.ENTRY,
    )


def _value(text: str | None, name: str) -> str:
    for line in (text or "").splitlines():
        own, equals, value = line.strip().partition("=")
        if equals and own == name:
            return value.strip().strip("\"'")
    return ""
