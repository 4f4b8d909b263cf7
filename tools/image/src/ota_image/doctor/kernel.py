# SPDX-License-Identifier: Apache-2.0
"""Hazards of a slot's kernel: modules of another kernel, or a panic that does not reboot."""

import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress

from ota_artifact.finding import Finding
from ota_board.entry import EXTLINUX
from ota_image.disk.slot import Slot
from ota_image.doctor.case import Case

_VERSION = re.compile(rb"Linux version (\d+\.\d+\S*) ")  # Source: Linux, init/version.c
_X86 = b"HdrS"  # at 0x202. Source: Linux, Documentation/arch/x86/boot.rst
_PACKED = re.compile(rb"\x1f\x8b\x08|\xfd7zXZ\0")
_LARGEST = 256 << 20  # [B] of an unpacked kernel
_PANIC = re.compile(r"^CONFIG_PANIC_TIMEOUT=(-?\d+)$", re.MULTILINE)


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with the kernel of each slot."""
    for slot in case.slots:
        if slot.is_empty or slot.extlinux is None:
            continue
        yield from _version(slot)
        yield from _panic(case, slot)


def kernel_version(data: bytes) -> str:
    """What a kernel calls itself, such as ``6.1.0-50-arm64``; empty if it cannot be found."""
    if data[0x202:0x206] == _X86:
        at = int.from_bytes(data[0x20E:0x210], "little") + 0x200
        return data[at : at + 128].split(b" ")[0].split(b"\0")[0].decode("ascii", "replace")
    if found := _VERSION.search(data):
        return found[1].decode("ascii", "replace")
    for match in _PACKED.finditer(data):
        unpacked = b""
        with suppress(zlib.error, lzma.LZMAError, EOFError):
            if match[0][:1] == b"\x1f":
                unpacked = zlib.decompressobj(31).decompress(data[match.start() :], _LARGEST)
            else:
                unpacked = lzma.LZMADecompressor().decompress(data[match.start() :], _LARGEST)
        if found := _VERSION.search(unpacked):
            return found[1].decode("ascii", "replace")
    return ""


def _version(slot: Slot) -> Iterator[Finding]:
    path = slot.extlinux.kernel if slot.extlinux else ""
    data = slot.part.read(path) if path and slot.modules else None
    version = kernel_version(data) if data else ""
    if version and version not in slot.modules:
        yield Finding(
            hazard="kernel-without-modules",
            place=f"slot {slot.part.name}: {path}",
            cause=f"it is {version}, the modules are for {', '.join(slot.modules)}: no driver"
            " loads",
            remedy="install kernel and modules of one package, and let /boot be part of the slot",
        )


def _panic(case: Case, slot: Slot) -> Iterator[Finding]:
    if case.board and case.board.watchdog.armed_by == "u-boot":
        return  # which ends a panic as well
    words = slot.extlinux.append.split() if slot.extlinux else []
    last = next((word for word in reversed(words) if word.startswith("panic=")), "")
    if last not in ("", "panic=0") or any(_resets(slot, version) for version in slot.modules):
        return
    yield Finding(
        hazard="panic-without-reset",
        place=f"slot {slot.part.name}: {slot.extlinux.file if slot.extlinux else EXTLINUX}",
        cause=f"{last or 'no panic='} among the kernel's arguments: a kernel that panics, such as"
        " one that finds no root, stays there until the power is cut, and nothing rolls back",
        remedy="add panic=10",
    )


def _resets(slot: Slot, version: str) -> bool:
    found = _PANIC.search(slot.part.text(f"/boot/config-{version}") or "")
    return bool(found and int(found[1]))
