# SPDX-License-Identifier: Apache-2.0
"""What is examined, read once for all probes."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ota_agent.bootloader import Bootloader
from ota_agent.bootloader.find import boot_of
from ota_agent.config.settings import Settings
from ota_agent.device.slots import Slot, Slots
from ota_agent.doctor.system import Mount, System, parse_mounts
from ota_agent.errors import AgentError, EnvironmentFault
from ota_agent.memory.peek import Memory, Unreadable, peek
from ota_artifact.errors import LayoutError, ProgramError
from ota_artifact.finding import Finding, fault
from ota_artifact.layout import Layout, read_layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A device.

    Attributes:
        slots: both; None: it has none, or they are not known.
        running: the slot that runs; None: it is not known.
        bootloader: None: it has no slots, or its configuration is damaged.
        variables: of the environment; None: it cannot be read.
        layout: None: there is none, or it is damaged.
        memory: None: it is not there, or cannot be read.
        faults: what was found as it was read.
    """

    settings: Settings
    system: System
    mounts: tuple[Mount, ...]
    slots: Slots | None
    running: Slot | None
    bootloader: Bootloader | None
    variables: Mapping[str, str] | None
    layout: Layout | None
    memory: Memory | None
    faults: tuple[Finding, ...]

    @property
    def root(self) -> Mount | None:
        """What is mounted as the root filesystem."""
        return next((each for each in reversed(self.mounts) if each.point == "/"), None)


def open_case(settings: Settings, system: System) -> Case:
    """Read what the probes look at; nothing is changed, and what cannot be read is a fault."""
    reader = _Reader(settings, system)
    slots, running, bootloader = reader.boot()
    return Case(
        settings=settings,
        system=system,
        mounts=reader.mounts,
        slots=slots,
        running=running,
        bootloader=bootloader,
        variables=reader.variables(bootloader),
        layout=reader.layout(),
        memory=reader.memory(),
        faults=tuple(reader.faults),
    )


class _Reader:
    """Reads, and notes what cannot be read."""

    def __init__(self, settings: Settings, system: System) -> None:
        self._settings, self._system = settings, system
        self.mounts = parse_mounts(system.text(system.proc / "self" / "mountinfo"))
        self.faults: list[Finding] = []

    def boot(self) -> tuple[Slots | None, Slot | None, Bootloader | None]:
        device = self._settings.device
        try:
            boot = boot_of(device)
        except EnvironmentFault as error:
            self._fault("environment-not-found", "bootloader", error, "see cause")
            return None, None, None
        except AgentError as error:
            self._fault("layout-damaged", device.layout, error, _LAYOUT)
            return None, None, None
        if boot is None:
            return None, None, None
        running = boot.slots.of(device.running) if device.running else None
        try:
            running = running or boot.slots.running(self._system.root)
        except (AgentError, OSError) as error:
            self._fault("root-not-from-slot", "/", error, self._root_remedy())
        return boot.slots, running, boot.bootloader

    def variables(self, bootloader: Bootloader | None) -> Mapping[str, str] | None:
        if bootloader is None:
            return None
        try:
            return bootloader.read()
        except (EnvironmentFault, ProgramError) as error:
            self._fault(
                "environment-unreadable",
                "environment",
                error,
                "correct what the other findings say of it; without it no update can be installed",
            )
            return None

    def layout(self) -> Layout | None:
        path = self._settings.device.layout
        with suppress(LayoutError, OSError):  # `boot` has told of it
            return read_layout(path) if path.exists() else None
        return None

    def memory(self) -> Memory | None:
        try:
            return peek(self._settings.device.store)
        except Unreadable as error:
            cause = f"the agent's memory cannot be read: {error.finding}"
            self._fault("state-unreadable", error.place, cause, error.remedy)
        return None

    def _root_remedy(self) -> str:
        if any(each.point == "/" and each.kind == "overlay" for each in self.mounts):
            return (
                "/ is an overlay: mount the slot itself as /, and overlays over single folders such"
                " as /var"
            )
        return "correct the layout or the kernel's root=, so that / is slot A or slot B"

    def _fault(self, hazard: str, place: object, cause: object, remedy: str) -> None:
        self.faults.append(fault(hazard, place, cause, remedy))


_LAYOUT = "take that of the board: `ota-board layout --json` writes it"
