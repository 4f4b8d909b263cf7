# SPDX-License-Identifier: Apache-2.0
"""Hazards of the bootloader's environment."""

from collections.abc import Iterator

from ota_board.environment import decode
from ota_board.layout import Area
from ota_image.disk.boot_state import Found
from ota_image.doctor.case import Case, Finding

_CANARY = "mender_saveenv_canary"
_IN_FAT = "/uboot.env"  # Source: U-Boot, env/Kconfig, ENV_FAT_FILE


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with the copies, and with what they hold."""
    areas = case.layout.environment if case.layout else ()
    for area in areas:
        yield from _copy(case, area)
    boot = case.disk.boot
    if areas and boot and boot.exists(_IN_FAT):
        yield Finding(
            "environment-in-fat",
            f"boot partition: {_IN_FAT}",
            "some U-Boot saved its environment there, in one file on a filesystem without journal;"
            " Linux looks at the raw copies, and sees nothing of it",
            "build U-Boot without ENV_IS_IN_FAT, and remove the file",
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
            "environment-elsewhere",
            place,
            f"a copy of {here[0].size:#x} B is there, the layout says {area.size:#x}: one of U-Boot"
            " and Linux says bad CRC",
            "build U-Boot and its environment for the same environment.size",
        )
    elif elsewhere:
        places = ", ".join(f"{each.offset:#x} with {each.size:#x} B" for each in elsewhere)
        yield Finding(
            "environment-elsewhere",
            place,
            f"nothing valid is there, but at {places}: U-Boot and Linux will use different bytes",
            "build U-Boot for environment.offsets of the board, and compose again",
        )
    elif not raw.strip(b"\0") or not raw.strip(b"\xff"):
        yield Finding(
            "environment-never-written",
            place,
            "nothing was ever written there: until U-Boot saves its own, no update is possible",
            "compose the image with the environment, or write it with mkenvimage -r",
        )
    else:
        yield Finding(
            "environment-copy-damaged",
            place,
            "its checksum is wrong: one more cut of power at the wrong time, and both are lost",
            "`ota-image env set` any variable, which writes both copies",
        )


def _single(found: Found) -> Finding:
    return Finding(
        "redundancy-lost",
        f"environment at {found.offset:#x}",
        "the copy has no counter: whoever wrote it has no redundant environment, and a cut of power"
        " while saving loses the state",
        "build U-Boot with ENV_REDUNDANT (SYS_REDUNDAND_ENVIRONMENT before v2025.10), and write the"
        " environment with mkenvimage -r",
    )


def _content(case: Case, variables: dict[str, str]) -> Iterator[Finding]:
    place = "environment"
    canary = variables.get(_CANARY) == "1"
    if canary and not case.is_booted:
        yield Finding(
            "canary-in-factory-image",
            _CANARY,
            "it is set before any boot, and so proves nothing of whether U-Boot can save",
            f"compose without it; U-Boot sets it (with --booted, for an image that has run, it"
            f" must be there); or `ota-image env set FILE {_CANARY}=`",
        )
    if case.is_booted and not canary and variables.get("mender_check_saveenv_canary") == "1":
        yield Finding(
            "canary-missing",
            _CANARY,
            "the image has run, and U-Boot never saved here: it cannot, or does so elsewhere",
            "compare ENV_OFFSET, ENV_SIZE and the device in U-Boot's final .config with the board",
        )
    if case.state and case.state.source != "files":
        yield from _logic(variables, place)
    if variables.get("upgrade_available", "0") != "0" and not case.is_booted:
        yield Finding(
            "trial-in-factory-image",
            "upgrade_available",
            "the first boot counts as a trial, and is rolled back to an empty slot",
            "`ota-image env set FILE upgrade_available=0 bootcount=0`",
        )
    yield from _slot_named(case, variables)


def _logic(variables: dict[str, str], place: str) -> Iterator[Finding]:
    if not variables.get("altbootcmd"):
        yield Finding(
            "no-altbootcmd",
            place,
            "without altbootcmd U-Boot ends at a prompt where it should roll back",
            "take the environment of the board's U-Boot; check BOOTCOUNT_ALTBOOTCMD in its .config",
        )
    if not variables.get("bootcmd"):
        yield Finding(
            "no-bootcmd",
            place,
            "a saved environment replaces the compiled one as a whole: nothing starts by itself",
            "take the whole environment of the board's U-Boot, not the state alone",
        )
    limit = variables.get("bootlimit", "")
    if not limit.isdigit() or int(limit) < 1:
        yield Finding(
            "no-bootlimit",
            place,
            f"bootlimit is {limit or 'not set'}: trial boots are never counted out",
            "`ota-image env set FILE bootlimit=1`",
        )


def _slot_named(case: Case, variables: dict[str, str]) -> Iterator[Finding]:
    if not case.layout or case.state is None or case.state.source == "files":
        return
    numbers = [area.number for area in case.layout.partitions if area.name in ("A", "B")]
    number = variables.get("mender_boot_part", "")
    hexadecimal = variables.get("mender_boot_part_hex", "")
    if number not in map(str, numbers) or hexadecimal != f"{int(number):x}":
        yield Finding(
            "state-names-no-slot",
            "mender_boot_part",
            f"mender_boot_part={number or '(not set)'}, mender_boot_part_hex="
            f"{hexadecimal or '(not set)'}; the slots are partitions"
            f" {' and '.join(map(str, numbers))}",
            f"`ota-image env set FILE mender_boot_part={numbers[0]}"
            f" mender_boot_part_hex={numbers[0]:x}`",
        )
