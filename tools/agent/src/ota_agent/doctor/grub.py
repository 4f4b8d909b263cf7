# SPDX-License-Identifier: Apache-2.0
"""Hazards of GRUB's environment: two files with a lock each, on the boot partition."""

from collections.abc import Iterator
from pathlib import Path

from ota_agent.bootloader.grub import Grub
from ota_agent.bootloader.in_place import device_of, places
from ota_agent.doctor.case import Case
from ota_agent.doctor.system import mount_of
from ota_artifact.finding import Finding, fault, warning
from ota_artifact.grub_block import (
    BLOCK,
    COPIES,
    FILES,
    LOCK,
    STATE,
    SUM,
    decode_block,
    is_sum,
)

_DISTANCE = 256 << 10  # [B] a card garbles up to 128 KiB around a write that is cut
_FACTORY = "put the files of the image there, or of another device with the same layout"
_REPAIR = "reboot the device: GRUB repairs it from the other copy, as the agent's next change does"


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with the files, and with where they are."""
    if not isinstance(case.bootloader, Grub):
        return
    folder = case.bootloader.folder
    yield from _mounted(case, folder)
    yield from _apart(folder)
    for copy in COPIES:
        read = {name: _bytes(folder / copy / name) for name in FILES}
        yield from judged(f"{folder}/{copy}", *(read[name] for name in FILES))


def judged(
    place: str, env: bytes | None, lock: bytes | None, total: bytes | None
) -> Iterator[Finding]:
    """What is wrong with one copy; None for a file that is not there."""
    if env is None or lock is None:
        yield fault(
            "grub-environment-missing",
            place,
            "env or lock is not there, and GRUB can only overwrite what exists: this copy is lost",
            f"mount the boot partition; else {_FACTORY}",
        )
        return
    held = decode_block(lock)
    for name, data in ((STATE, env), (LOCK, lock)):
        if len(data) != BLOCK or decode_block(data) is None:
            yield fault(
                "grub-copy-damaged",
                f"{place}/{name}",
                f"it is not a block of {BLOCK} B: GRUB ignores it and cannot repair it",
                _FACTORY,
            )
    if held is None:
        return
    if held.get("editing") != "0":
        yield warning(
            "grub-copy-locked",
            f"{place}/{LOCK}",
            f"editing={held.get('editing', '(not set)')}: a program was interrupted while"
            " writing; until it is repaired there is only one copy",
            _REPAIR,
        )
    elif not is_sum(total or b"", lock):
        yield warning(
            "grub-lock-without-sum",
            f"{place}/{SUM}",
            "it is not the sum of the open lock: Mender's tools take the copy for a damaged one",
            _REPAIR,
        )


def _apart(folder: Path) -> Iterator[Finding]:
    """Whether one garbled group of blocks can take both copies; silent where nobody may ask."""
    try:
        if device_of(folder) is None:
            return
        first, second = (
            [each for name in ("env", "lock") for each in places(folder / copy / name)]
            for copy in COPIES
        )
    except OSError:
        return
    yield from too_close(folder, first, second)


def too_close(
    folder: Path, first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> Iterator[Finding]:
    """Whether two copies are too close, by the blocks of each: where they are, how long [B]."""
    gap = min(max(b[0] - sum(a), a[0] - sum(b)) for a in first for b in second)
    if gap < _DISTANCE:
        yield warning(
            "grub-copies-too-close",
            folder,
            f"both copies are within {gap} B on the disk: a power cut while one is written can"
            " garble both, and GRUB then has to guess which slot ran",
            "write an image of this version onto the disk: it keeps the copies apart",
        )


def _mounted(case: Case, folder: Path) -> Iterator[Finding]:
    mount = mount_of(folder, case.mounts)
    if mount is None:
        return
    if mount.point == "/":
        yield fault(
            "boot-not-mounted",
            folder,
            "no partition is mounted there: GRUB reads the boot partition, and not this slot",
            "mount the boot partition; fstab names it in our images",
        )
    elif "ro" not in mount.options:
        yield warning(
            "boot-writable",
            mount.point,
            "Linux writes its folders and its boot sector at each mount and each change of GRUB's"
            " environment, and a power cut may garble what is near",
            "mount it ro,noatime in fstab: the agent writes the environment past the filesystem",
        )


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
