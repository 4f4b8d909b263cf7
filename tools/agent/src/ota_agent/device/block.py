# SPDX-License-Identifier: Apache-2.0
"""Block devices by the names that the kernel's command line, fstab and Mender's files have."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ota_agent.errors import AgentError
from ota_artifact.errors import ProgramError
from ota_artifact.run import run

SYS = Path("/sys")

_LINKS = {
    "LABEL": "by-label",
    "UUID": "by-uuid",
    "PARTLABEL": "by-partlabel",
    "PARTUUID": "by-partuuid",
}
"""Where udev has the links of each kind of name."""

_SAID = {"by-partlabel": "PARTNAME", "by-partuuid": "PARTUUID"}
"""What the kernel itself says of a partition, before udev does. Source: Linux, block/partitions."""

_DISK = Path("/dev/disk")
_PATIENCE = 10.0  # [s]


def node_of(name: str, *, sys: Path = SYS, disk: Path = _DISK) -> Path:
    """The device of a name: a path, or such as ``PARTUUID=…``.

    Raises:
        AgentError: it is not one, or there is no such device (yet).
    """
    kind, equals, value = name.partition("=")
    if equals and kind.upper() in _LINKS:
        return _found(name, _LINKS[kind.upper()], value.strip("\"'"), sys, disk)
    if re.fullmatch(r"(/dev/)?ubi\d+(_\d+|:.+)", name):
        raise AgentError(
            f"{name}: is a UBI volume, which the agent cannot write; slots are"
            " partitions of a block device"
        )
    if not name.startswith("/"):
        raise AgentError(
            f"{name}: is not a device; write its path, such as /dev/mmcblk0p2, or PARTUUID=…"
        )
    path = Path(name)
    if path.parent.parent == disk and path.parent.name in _LINKS.values() and not path.exists():
        return _found(name, path.parent.name, path.name, sys, disk)
    return path


def number_of(node: Path, *, sys: Path = SYS) -> int:
    """The number of a partition, by which the bootloader knows it.

    Raises:
        AgentError: it is not a partition.
    """
    real = node.resolve()
    folder = sys / "class" / "block" / real.name
    try:
        return int((folder / "partition").read_text("ascii"))
    except (OSError, ValueError):
        pass
    if (folder / "dm").exists() or node.is_relative_to("/dev/mapper"):
        raise AgentError(
            f"{node}: is a volume of the device mapper, as LVM's are, and has no number of a"
            " partition, which is what the bootloader is told; name partitions, or install a"
            " layout.json with their numbers"
        )
    match = re.search(r"(\d+)$", real.name)
    if not match:
        why = "ends with no number" if real.exists() else "is not there"
        raise AgentError(f"{node}: {why}; which partition is it?")
    return int(match[1])


def below(device: int, *, sys: Path = SYS) -> Iterator[str]:
    """The devices that one is made of, such as dm-verity's, as ``major:minor``.

    Args:
        device: its number, as in st_dev.
    """
    folder = sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}" / "slaves"
    for each in sorted(folder.glob("*")):
        try:
            yield (each / "dev").read_text("ascii").strip()
        except OSError:
            continue


def root_of(cmdline: Path = Path("/proc/cmdline")) -> str:
    """What the kernel was told to mount as root; empty if nothing."""
    try:
        words = cmdline.read_text("utf-8", "replace").split()
    except OSError:
        return ""
    return next((word[5:] for word in reversed(words) if word.startswith("root=")), "")


def _found(name: str, folder: str, value: str, sys: Path, disk: Path) -> Path:
    """The device by udev's link; without one, as the kernel says, or as findfs looks."""
    encoded = re.sub(r"[ /]", lambda match: f"\\x{ord(match[0]):02x}", value)
    for link in (disk / folder / value, disk / folder / encoded, disk / folder / value.lower()):
        if link.exists():
            return link
    wanted = value.replace("\\x20", " ").lower()
    for uevent in sorted((sys / "class" / "block").glob("*/uevent")):
        lines = dict(line.partition("=")[::2] for line in _text(uevent).splitlines())
        if folder in _SAID and lines.get(_SAID[folder], "").lower() == wanted:
            return disk.parent / lines.get("DEVNAME", uevent.parent.name)
    kind = next(kind for kind, each in _LINKS.items() if each == folder)
    try:
        return Path(run(("findfs", f"{kind}={value}"), timeout=_PATIENCE).decode().strip())
    except ProgramError:
        raise AgentError(
            f"{name}: there is no such device, or udev has not made its link yet; lsblk -f lists"
            " those that are there"
        ) from None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
