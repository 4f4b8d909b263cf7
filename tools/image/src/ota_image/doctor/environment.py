# SPDX-License-Identifier: Apache-2.0
"""Hazards of the bootloader's environment."""

from collections.abc import Iterator

from ota_artifact.contract import CANARY, CHECKED, COUNT, LIMIT, NUMBER, PART, PART_HEX, TRIAL
from ota_artifact.finding import Finding
from ota_artifact.layout import Area
from ota_board.environment import decode
from ota_image.disk.boot_state import Found
from ota_image.doctor.case import Case

_IN_FAT = "/uboot.env"  # Source: U-Boot, env/Kconfig, ENV_FAT_FILE


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with the copies, and with their variables."""
    areas = case.layout.environment if case.layout else ()
    for area in areas:
        yield from _copy(case, area)
    boot = case.disk.boot
    if areas and boot and boot.exists(_IN_FAT):
        yield Finding(
            hazard="environment-in-fat",
            place=f"boot partition: {_IN_FAT}",
            cause="a U-Boot saved its environment there, in one file on a filesystem without a"
            " journal; Linux reads the raw copies and does not see it",
            remedy="build U-Boot without ENV_IS_IN_FAT, and remove the file",
        )
    if not case.layout and len(case.found) == 1 and not case.found[0].is_redundant:
        yield _single(case.found[0])
    if case.state and case.state.newest is not None:
        yield from _content(case, case.state.variables)


def _copy(case: Case, area: Area) -> Iterator[Finding]:
    with case.disk.path.open("rb") as file:
        file.seek(area.offset)
        raw = file.read(area.size)
    if decode(raw, is_redundant=True):
        return
    place = f"{area.name} at {area.offset:#x}"
    here = [each for each in case.found if each.offset == area.offset]
    taken = {each.offset for each in (case.layout.environment if case.layout else ())}
    elsewhere = [each for each in case.found if each.offset not in taken]
    if here and here[0].size == area.size:
        yield _single(here[0])
    elif here:
        yield Finding(
            hazard="environment-elsewhere",
            place=place,
            cause=f"a copy of {here[0].size:#x} B is there, the layout has {area.size:#x}: either"
            " U-Boot or Linux reports a bad CRC",
            remedy="build U-Boot and its environment for the same environment.size",
        )
    elif elsewhere:
        places = ", ".join(f"{each.offset:#x} with {each.size:#x} B" for each in elsewhere)
        yield Finding(
            hazard="environment-elsewhere",
            place=place,
            cause=f"there is no valid copy here, but one at {places}: U-Boot and Linux will use"
            " different bytes",
            remedy="build U-Boot for environment.offsets of the board, and compose again",
        )
    elif not raw.strip(b"\0") or not raw.strip(b"\xff"):
        yield Finding(
            hazard="environment-never-written",
            place=place,
            cause="nothing was ever written there: until U-Boot saves its environment, no update"
            " is possible",
            remedy="compose the image with the environment, or write it with mkenvimage -r",
        )
    else:
        yield Finding(
            hazard="environment-copy-damaged",
            place=place,
            cause="its checksum is wrong: one more power cut at the wrong time, and both copies"
            " are lost",
            remedy="`ota-image env set` any variable, which writes both copies",
        )


def _single(found: Found) -> Finding:
    return Finding(
        hazard="redundancy-lost",
        place=f"environment at {found.offset:#x}",
        cause="the copy has no counter: what wrote it keeps one copy, and a power cut while saving"
        " loses the state",
        remedy="build U-Boot with ENV_REDUNDANT (SYS_REDUNDAND_ENVIRONMENT before v2025.10), and"
        " write the environment with mkenvimage -r",
    )


def _content(case: Case, variables: dict[str, str]) -> Iterator[Finding]:
    place = "environment"
    canary = variables.get(CANARY) == "1"
    if canary and not case.is_booted:
        yield Finding(
            hazard="canary-in-factory-image",
            place=CANARY,
            cause="it is set before the first boot, and does not prove that U-Boot can save",
            remedy="compose without it, since U-Boot sets it; or give --booted for an image that"
            f" has run, which must have it; or `ota-image env set FILE {CANARY}=`",
        )
    if case.is_booted and not canary and variables.get(CHECKED) == "1":
        yield Finding(
            hazard="canary-missing",
            place=CANARY,
            cause="the image has run, and U-Boot has not saved here: it cannot save, or saves"
            " elsewhere",
            remedy="compare ENV_OFFSET, ENV_SIZE and the device in U-Boot's final .config with"
            " the board",
        )
    if case.state and case.state.source != "files":
        yield from _logic(variables, place)
    if variables.get(TRIAL, "0") != "0" and not case.is_booted:
        yield Finding(
            hazard="trial-in-factory-image",
            place=TRIAL,
            cause="the first boot counts as a trial, and rolls back to an empty slot",
            remedy=f"`ota-image env set FILE {TRIAL}=0 {COUNT}=0`",
        )
    yield from _slot_named(case, variables)


def _logic(variables: dict[str, str], place: str) -> Iterator[Finding]:
    if not variables.get("altbootcmd"):
        yield Finding(
            hazard="no-altbootcmd",
            place=place,
            cause="without altbootcmd U-Boot ends at a prompt where it should roll back",
            remedy="take the environment of the board's U-Boot; check BOOTCOUNT_ALTBOOTCMD in"
            " its .config",
        )
    if not variables.get("bootcmd"):
        yield Finding(
            hazard="no-bootcmd",
            place=place,
            cause="a saved environment replaces the whole compiled one: U-Boot starts nothing",
            remedy="take the whole environment of the board's U-Boot, not only the state",
        )
    limit = variables.get(LIMIT, "")
    if not NUMBER.fullmatch(limit) or int(limit) < 1:
        yield Finding(
            hazard="no-bootlimit",
            place=place,
            cause=f"{LIMIT} is {limit or 'not set'}: a trial never ends with a rollback",
            remedy=f"`ota-image env set FILE {LIMIT}=1`",
        )


def _slot_named(case: Case, variables: dict[str, str]) -> Iterator[Finding]:
    if not case.layout or case.state is None or case.state.source == "files":
        return
    numbers = [area.number for area in case.layout.partitions if area.name in ("A", "B")]
    number = variables.get(PART, "")
    hexadecimal = variables.get(PART_HEX, "")
    if number not in map(str, numbers) or hexadecimal != f"{int(number):x}":
        yield Finding(
            hazard="state-names-no-slot",
            place=PART,
            cause=f"{PART}={number or '(not set)'}, {PART_HEX}="
            f"{hexadecimal or '(not set)'}; the slots are partitions"
            f" {' and '.join(map(str, numbers))}",
            remedy=f"`ota-image env set FILE {PART}={numbers[0]} {PART_HEX}={numbers[0]:x}`",
        )
