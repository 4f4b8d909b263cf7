# SPDX-License-Identifier: Apache-2.0
"""Hazards of what outlives an update: /data, the agent's memory, who this device is."""

import os
from collections.abc import Iterator
from pathlib import Path

from ota_agent.config.settings import Settings
from ota_agent.device.device_type import device_type_of, find_device_type
from ota_agent.device.second_home import DataState, data_state
from ota_agent.doctor.case import Case
from ota_agent.doctor.system import Mount, mount_of
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Idle
from ota_agent.memory.bootstrap import provided
from ota_agent.memory.runs import Truth
from ota_agent.server.key import replaced
from ota_artifact.finding import Finding, fault, warning
from ota_artifact.provides import NAME

_IN_MEMORY = ("tmpfs", "ramfs")
_LOST = ("damaged", "new")
_LEAST_PART = 0.05  # of /data that is better left free


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with it."""
    folder = case.settings.device.data
    there = next(each for each in (folder, *folder.parents) if each.exists())
    mount = mount_of(there.resolve(), case.mounts)
    if mount is not None:
        yield from kept(folder, mount, case.root, data_state(case.settings.device.run))
    if not os.access(there, os.W_OK):
        yield fault(
            "data-not-writable",
            folder,
            "the agent cannot remember anything there",
            "be root; mount /data rw",
        )
    else:
        yield from _room(case, there)
    yield from _type(case)
    if said := replaced(case.settings.key.path):
        yield warning("key-replaced", case.settings.key.path, said, "accept the device, see cause")
    yield from passed_over(case.settings)
    if case.memory and isinstance(case.memory.state, Idle):
        yield from named(provided(case.settings.device, case.memory))


def kept(folder: Path, mount: Mount, root: Mount | None, said: DataState) -> Iterator[Finding]:
    """Whether a folder outlives an update and a reboot, by what it is mounted from.

    Args:
        said: what the script that mounted it says.
    """
    why = f"; {said.sentence}" if said.reason else ""
    remedy = "mount the partition data on /data; fstab has it in our images"
    if mount.kind in _IN_MEMORY:
        yield fault(
            "data-in-memory",
            folder,
            f"{mount.point} is a {mount.kind}: state and key of the agent end with each reboot"
            f"{why}",
            f"{remedy}; /run/log/repair has what e2fsck said, if the device repairs it at boot",
        )
    elif mount.point == "/" or (root is not None and mount.device == root.device):
        yield fault(
            "data-not-mounted",
            folder,
            "it is in the slot: the agent's state and key are lost with the update",
            remedy,
        )
    if "ro" in mount.options:
        yield fault(
            "data-read-only",
            folder,
            f"{mount.point} is mounted read-only, as after an error of its filesystem{why}",
            "dmesg says why; reboot the device, which repairs it unless the boot is a trial, or"
            f" mount -o remount,rw {mount.point}",
        )
    elif said.state in _LOST:
        yield warning(
            f"data-{said.state}",
            folder,
            said.sentence,
            "/run/log/repair has what e2fsck said, and lost+found what was there before",
        )
    elif said.state == "unchecked":
        yield warning(
            "data-unchecked",
            folder,
            said.sentence,
            "install a release whose e2fsprogs is at least as new as the one that made /data",
        )


def space(place: object, free: int, whole: int, least: int) -> Iterator[Finding]:
    """Whether there is room.

    Args:
        free: what users may still write [B].
        whole: the size of the filesystem [B].
        least: below this nothing works [B].
    """
    remedy = "remove what is not needed; [log] and [boot_log] say how much the agent keeps"
    if free < least:
        yield fault(
            "data-full",
            place,
            f"{free} B are free, and {least} B are left free for the agent's state: payloads are"
            " refused",
            remedy,
        )
    elif free < _LEAST_PART * whole:
        yield warning("data-full", place, f"{free} B of {whole} B are free", remedy)


def named(found: Truth) -> Iterator[Finding]:
    """Whether the device runs what it remembers."""
    if found.finding:
        yield warning(
            "artifact-name-differs",
            found.provides[NAME],
            found.finding,
            "if the slot was written by other means, install an update; else see the log of the"
            " last one",
        )


def _room(case: Case, folder: Path) -> Iterator[Finding]:
    found = os.statvfs(folder)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    yield from space(folder, free, whole, case.settings.modules.keep_free)


def passed_over(settings: Settings) -> Iterator[Finding]:
    """What configuration files say that the agent does not take."""
    for each in settings.passed_over:
        yield fault(
            "configuration-passed-over",
            each.place,
            f"{each.finding}: it is as if it were not there",
            "correct it, or remove it",
        )
    if settings.doubt:
        yield fault(
            "keys-in-doubt",
            "[keys] keys",
            f"{settings.doubt}: it may have said which keys artifacts must be signed with, so that"
            " none is installed, unless the agent knows from before that any may be",
            "correct the file, or name a key: `ota-agent setup --key FILE`",
        )


def _type(case: Case) -> Iterator[Finding]:
    found = find_device_type(case.settings.device)
    for each in found.passed_over if found.name else ():
        yield warning("device-type-passed-over", each, f"{found.name} counts", "correct the file")
    try:
        device_type_of(case.settings.device)
    except AgentError as error:
        yield fault(
            "device-type-missing",
            case.settings.device.data / "device_type",
            error,
            "`ota-agent setup --device-type NAME`, with the name that artifacts are made for",
        )
