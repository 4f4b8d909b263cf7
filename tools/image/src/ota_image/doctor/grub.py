# SPDX-License-Identifier: Apache-2.0
"""Hazards of GRUB: its program, its configuration, its state, and how Linux reaches the state."""

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations

from ota_artifact import grub_block
from ota_artifact.contract import COUNT, PART, TRIAL
from ota_artifact.device_files import GRUB_CONFIG
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.finding import Finding, warning
from ota_artifact.grub_block import LOCK, STATE, SUM
from ota_artifact.image.partitions import ESP
from ota_artifact.image.vfat import FatFilesystem
from ota_board import grub
from ota_image.disk.image import Part
from ota_image.disk.slot import Slot
from ota_image.doctor.case import Case

_KNOWN = {"/boot/efi", "/boot/grub"}
"""Where Mender's tools look if nothing tells them."""
_STATE = (PART, TRIAL, COUNT)
_AGAIN = "compose the image again with the board that it is for"


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong, where GRUB is the bootloader."""
    is_wanted = case.board is not None and case.board.bootloader.kind == "grub"
    if not is_wanted and not case.disk.is_grub:
        return
    boot = case.disk.boot
    if boot is None:
        return  # another probe reports it
    if is_wanted or case.layout:
        yield from _program(case, boot)
    yield from _console(case, boot)
    if not boot.exists(grub.FOLDER):
        yield Finding(
            hazard="grub-environment-missing",
            place=f"boot partition: {grub.FOLDER}",
            cause="GRUB's state, mender_grubenv1 and mender_grubenv2, is missing; GRUB can only"
            " overwrite files that exist, and no trial starts",
            remedy="compose with both copies",
        )
        return
    for folder in grub.COPIES:
        yield from _copy(case, boot, folder)
    yield from _difference(case)
    yield from _apart(boot)
    for slot in case.slots:
        if case.layout and not slot.is_empty:
            yield from _way(case, slot)


def _console(case: Case, boot: Part) -> Iterator[Finding]:
    """Whether there is a menu, which anyone can edit. Source: GRUB manual, "Security"."""
    for path in () if case.is_toy else grub.CONFIGURATIONS:
        text = boot.text(path) or ""
        if re.search(r"^[ \t]*menuentry\b", text, re.MULTILINE) and "superusers" not in text:
            yield warning(
                "bootloader-console-open",
                f"boot partition: {path}",
                "anyone at the console can edit an entry of its menu, and start another system",
                "if others reach the console, do without a menu, or set superusers and a password",
            )


def _apart(boot: Part) -> Iterator[Finding]:
    """Whether one garbled group of blocks can take both copies."""
    found: dict[str, list[tuple[int, int]]] = {}
    for path in grub.APART:
        names = (f"{path}/{name}" for name in ("env", "lock")) if path in grub.COPIES else (path,)
        found[path] = [place for name in names for place in _places(boot, name)]
    for one, other in combinations(grub.APART, 2):
        gaps = [
            max(second[0] - sum(first), first[0] - sum(second))
            for first in found[one]
            for second in found[other]
        ]
        if gaps and min(gaps) < grub.DISTANCE:
            yield Finding(
                hazard="grub-copies-too-close",
                place=f"boot partition: {one}, {other}",
                cause=f"they are {min(gaps)} B apart on the disk: a power cut while one is written"
                " can garble both",
                remedy=_AGAIN,
            )


def _places(boot: Part, path: str) -> tuple[tuple[int, int], ...]:
    with suppress(ArtifactError, ProgramError):
        filesystem = boot.open()
        return filesystem.places(path) if isinstance(filesystem, FatFilesystem) else ()
    return ()


def _program(case: Case, boot: Part) -> Iterator[Finding]:
    if case.disk.table and case.disk.table.kind == "gpt" and boot.type not in ESP:
        yield Finding(
            hazard="boot-not-esp",
            place=f"partition {boot.number}",
            cause="its type is not that of an EFI system partition: the firmware ignores it",
            remedy=f"sfdisk --part-type FILE {boot.number} U",
        )
    firmware = case.board.firmware if case.board else ()
    for path in sorted({grub.PROGRAM, *(each.path for each in firmware if each.path)}):
        if not boot.exists(path):
            yield Finding(
                hazard="grub-missing",
                place=f"boot partition: {path}",
                cause="it is missing: GRUB, or what starts it, does not start",
                remedy=_AGAIN,
            )
    for path in grub.CONFIGURATIONS:
        yield from _configuration(case, boot, path)


def _configuration(case: Case, boot: Part, path: str) -> Iterator[Finding]:
    text = boot.text(path)
    if text is None:
        yield Finding(
            hazard="grub-configuration-missing",
            place=f"boot partition: {path}",
            cause="it is missing: if the other one is lost as well, GRUB ends at a prompt",
            remedy=_AGAIN,
        )
    elif case.board and text != grub.configuration(case.board):
        yield Finding(
            hazard="grub-configuration-differs",
            place=f"boot partition: {path}",
            cause="it differs from the board's: in the partitions, or in the boot logic",
            remedy="take the board's; `ota-board render` writes it",
        )


def _copy(case: Case, boot: Part, folder: str) -> Iterator[Finding]:
    place = f"boot partition: {folder}"
    found = {name: boot.read(f"{folder}/{name}") for name in grub_block.FILES}
    absent = [name for name, data in found.items() if data is None and name != SUM]
    if absent:
        yield Finding(
            hazard="grub-environment-missing",
            place=f"{place}: {', '.join(absent)}",
            cause="GRUB can only overwrite files that exist: only the other copy is left",
            remedy="compose with both copies",
        )
        return
    variables = grub_block.decode_block(found[STATE] or b"")
    lock = grub_block.decode_block(found[LOCK] or b"")
    for name, block in ((STATE, variables), (LOCK, lock)):
        if block is None or len(found[name] or b"") != grub_block.BLOCK:
            yield Finding(
                hazard="grub-copy-damaged",
                place=f"{place}/{name}",
                cause=f"it is not a block of {grub_block.BLOCK} B: GRUB ignores it and cannot"
                " repair it",
                remedy="`ota-image env set` any variable, which writes both copies",
            )
    if variables is None or lock is None:
        return
    if lock.get("editing") != "0":
        yield Finding(
            hazard="grub-copy-locked",
            place=f"{place}/{LOCK}",
            cause=f"editing={lock.get('editing', '(not set)')}: a write was cut off; until GRUB"
            " repairs it at its next start, there is only one copy",
            remedy="`ota-image env set` any variable, which writes both copies",
        )
    elif not grub_block.is_sum(found[SUM] or b"", found[LOCK] or b""):
        yield Finding(
            hazard="grub-lock-without-sum",
            place=f"{place}/{SUM}",
            cause="it is not the checksum of the open lock: Mender's tools treat the copy as"
            " damaged",
            remedy="`ota-image env set` any variable, which writes both copies",
        )
    yield from _slot_named(case, place, variables)


def _slot_named(case: Case, place: str, variables: dict[str, str]) -> Iterator[Finding]:
    areas = case.layout.partitions if case.layout else ()
    numbers = [str(area.number) for area in areas if area.name in ("A", "B")]
    part = variables.get(PART, "")
    if numbers and part not in numbers:
        yield Finding(
            hazard="state-names-no-slot",
            place=f"{place}/{STATE}",
            cause=f"{PART}={part or '(not set)'}; the slots are partitions {' and '.join(numbers)}",
            remedy=f"`ota-image env set FILE mender_boot_part={numbers[0]}`",
        )


def _difference(case: Case) -> Iterator[Finding]:
    whole = [copy.variables for copy in (case.state.copies if case.state else ()) if copy]
    states = [{name: each.get(name) for name in _STATE} for each in whole]
    if len(states) == 2 and states[0] != states[1]:
        yield Finding(
            hazard="grub-copies-differ",
            place=f"boot partition: {grub.FOLDER}",
            cause="both are valid and hold different states: if the first one is lost, the other"
            " slot starts",
            remedy="`ota-image env set` any variable, which writes both copies",
        )


def _way(case: Case, slot: Slot) -> Iterator[Finding]:
    """Whether Linux can write the state: the boot partition is mounted, and its place is known."""
    place = f"slot {slot.part.name}"
    lines = (slot.part.text("/etc/fstab") or "").splitlines()
    rows = [row for line in lines if len(row := line.partition("#")[0].split()) >= 4]
    mounts = {row[1]: row[3].split(",") for row in rows if row[2] in ("vfat", "msdos")}
    if not mounts:
        yield Finding(
            hazard="boot-not-mounted",
            place=f"{place}: /etc/fstab",
            cause="nothing mounts the boot partition: Linux does not reach GRUB's state, and no"
            " update can be installed",
            remedy="take the fstab of the board: `ota-board render` writes it",
        )
    for point, options in mounts.items():
        if "ro" not in options:
            yield Finding(
                hazard="boot-writable",
                place=f"{place}: /etc/fstab: {point}",
                cause="Linux then writes its folders and its boot sector at each mount and each"
                " change of GRUB's state, and a power cut may garble what is near",
                remedy="mount it ro,noatime: the agent writes the state past the filesystem",
            )
    text = slot.part.text(GRUB_CONFIG)
    wanted = {f"{point}{grub.FOLDER}" for point in mounts}
    folder = _folder(text or "")
    if mounts and folder not in wanted | ({""} if mounts.keys() & _KNOWN else set()):
        yield Finding(
            hazard="grub-environment-not-found",
            place=f"{place}: {GRUB_CONFIG}",
            cause=f"it says {folder or 'nothing'}; the state is in {', '.join(sorted(wanted))}",
            remedy="take the board's file: `ota-board render` writes it",
        )


def _folder(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("ENV_DIR")]
    return lines[-1].partition("=")[2].strip() if lines else ""
