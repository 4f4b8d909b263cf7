# SPDX-License-Identifier: Apache-2.0
"""Runs every probe on this device. A new family of hazards is a file with `probe`, named here."""

from collections.abc import Callable, Iterator

from ota_agent.config.settings import Settings
from ota_agent.doctor import (
    data,
    environment,
    floor,
    grub,
    kernel,
    online,
    owners,
    programs,
    service,
    slots,
    trial,
    trust,
    watchdog,
)
from ota_agent.doctor.case import Case, open_case
from ota_agent.doctor.system import System
from ota_artifact.finding import Finding, fault

PROBES: tuple[Callable[[Case], Iterator[Finding]], ...] = tuple(
    each.probe
    for each in (
        environment,
        grub,
        slots,
        trial,
        kernel,
        watchdog,
        data,
        trust,
        floor,
        owners,
        programs,
        service,
    )
)
"""In the order in which an update meets them."""


def examine(
    settings: Settings, system: System | None = None, *, is_online: bool = False
) -> list[Finding]:
    """Every hazard that this device shows; looking changes nothing, but for the key that going
    online needs.

    Args:
        is_online: ask the server, too.
    """
    case = open_case(settings, system or System())
    found = [*case.faults, *(finding for probe in PROBES for finding in _looked(probe, case))]
    return [*found, *online.probe(settings)] if is_online else found


def _looked(probe: Callable[[Case], Iterator[Finding]], case: Case) -> Iterator[Finding]:
    """What a probe finds; and that it could not look, as when the user may not."""
    try:
        yield from probe(case)
    except OSError as error:
        name = probe.__module__.rpartition(".")[2]
        yield fault(
            "not-examined",
            f"{error.filename or name}",
            f"{error.strerror}: what the doctor's {name} would tell is not known",
            "be root",
        )
