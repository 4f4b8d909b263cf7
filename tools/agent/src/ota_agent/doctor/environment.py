# SPDX-License-Identifier: Apache-2.0
"""Hazards of U-Boot's environment: where it is, whether both copies are whole."""

from collections.abc import Iterator
from pathlib import Path
from shutil import which

from ota_agent.bootloader.u_boot import Place, UBoot, judged
from ota_agent.doctor.case import Case
from ota_agent.doctor.system import device_number
from ota_agent.errors import EnvironmentFault
from ota_artifact.contract import LIMIT
from ota_artifact.finding import Finding, fault, warning

_REPAIR = f"`echo {LIMIT}=1 | fw_setenv -s -` twice: each writes the copy that is older or damaged"
_RENDERED = "take that of the board: `ota-board render` writes it"


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with where it is kept."""
    if not isinstance(case.bootloader, UBoot):
        return
    for program in ("fw_printenv", "fw_setenv"):
        if which(program) is None:
            yield fault(
                "program-missing",
                program,
                "it is not there: U-Boot's environment can neither be read nor written",
                "install libubootenv's tools (libubootenv-tool, libubootenv-bin)",
            )
    configuration = case.bootloader.configuration
    try:
        places = case.bootloader.places()
    except EnvironmentFault as error:
        is_there = configuration.exists()
        yield fault(
            "fw-env-config-differs" if is_there else "fw-env-config-missing",
            configuration,
            f"{error}: Linux does not know where the environment is, so no update can be installed",
            _RENDERED,
        )
        return
    yield from _places(case, configuration, places)
    for place in places:
        yield from _copy(place, is_alone=len(places) == 1)


def _places(case: Case, configuration: Path, places: tuple[Place, ...]) -> Iterator[Finding]:
    if len(places) < 2:
        yield fault(
            "redundancy-lost",
            configuration,
            f"it names {len(places)} copies of the environment: a power cut while it is saved"
            " loses the state",
            "build U-Boot with ENV_REDUNDANT (SYS_REDUNDAND_ENVIRONMENT before v2025.10), and"
            " name both copies",
        )
    layout = case.layout
    areas = [each for each in layout.areas if each.kind == "environment"] if layout else []
    wanted = sorted((each.offset, each.size) for each in areas)
    found = sorted((each.offset, each.size) for each in places)
    if wanted and found != wanted:
        yield fault(
            "fw-env-config-differs",
            configuration,
            f"it says {_shown(found)}; the layout has {_shown(wanted)}: U-Boot and Linux use"
            " different bytes",
            _RENDERED,
        )
    for device in sorted({each.device for each in places}):
        if layout and wanted and not case.settings.device.slot_a:
            yield from _other_disk(configuration, device, layout.device)


def _other_disk(configuration: Path, device: str, wanted: str) -> Iterator[Finding]:
    """The environment is on the disk of the slots; each node may have several names."""
    try:
        if device_number(Path(device)) == device_number(Path(wanted)):
            return
    except OSError:
        if device == wanted:
            return  # said already: nothing can be read there
    yield fault(
        "fw-env-config-differs",
        configuration,
        f"it says {device}, and this device's disk is {wanted}: the bootloader of another disk is"
        " told what to start",
        _RENDERED,
    )


def _copy(place: Place, *, is_alone: bool) -> Iterator[Finding]:
    where = f"{place.device} at {place.offset:#x}"
    try:
        raw = place.read()
    except OSError as error:
        yield fault(
            "environment-device-missing",
            where,
            f"{error.strerror}: this copy of the environment cannot be read",
            "run as root; correct fw_env.config, if it names a disk that this device does not have",
        )
        return
    found = judged(raw) if len(raw) == place.size else "damaged"
    if found == "empty":
        yield fault(
            "environment-never-written",
            where,
            "nothing was ever written there: U-Boot saves elsewhere, or cannot",
            f"compare ENV_OFFSET and ENV_SIZE of U-Boot's final .config; then {_REPAIR}",
        )
    elif found == "damaged":
        yield warning(
            "environment-copy-damaged",
            where,
            "its checksum is wrong: one more power cut at the wrong time, and both are lost",
            f"{_REPAIR}; if that does not help, compare the size with U-Boot's ENV_SIZE",
        )
    elif found == "single" and not is_alone:
        yield fault(
            "redundancy-lost",
            where,
            "the copy has no counter: the program that wrote it has no redundant environment, and a"
            " power cut while saving loses the state",
            "build U-Boot with ENV_REDUNDANT (SYS_REDUNDAND_ENVIRONMENT before v2025.10)",
        )


def _shown(places: list[tuple[int, int]]) -> str:
    return ", ".join(f"{size:#x} B at {offset:#x}" for offset, size in places) or "nothing"
