# SPDX-License-Identifier: Apache-2.0
"""What a device provides: before its first update, and when another release runs than committed."""

import logging
from collections.abc import Mapping
from pathlib import Path

from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.contract import is_lost, is_trial, next_slot
from ota_agent.bootloader.find import boot_of
from ota_agent.device.options import DeviceOptions
from ota_agent.device.release import RELEASE, released
from ota_agent.errors import AgentError
from ota_agent.lifecycle import provides
from ota_agent.lifecycle.states import Cleaning, Reporting, State, UnderWay
from ota_agent.lifecycle.update import Artifact
from ota_agent.memory.peek import Memory
from ota_agent.memory.runs import (
    UNKNOWN,
    Running,
    Slots,
    Truth,
    of_release,
    truth,
)
from ota_artifact.contract import WHY
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.provides import NAME

logger = logging.getLogger(__name__)

MENDER = Path("/var/lib/mender/bootstrap.mender")


def look(boot: Boot | None, *, release: Path = RELEASE) -> Running:
    """What runs now; what cannot be read is not known."""
    said = released(release)
    if boot is None:
        return Running(release=said)
    try:
        slot = boot.running().name
    except AgentError:
        slot = ""
    try:
        environment = boot.bootloader.read()
    except (AgentError, ProgramError):
        return Running(slot=slot, release=said, is_trial=None)
    try:
        is_next = next_slot(boot.slots, environment).name == slot
    except AgentError:
        is_next = True
    is_tried = None if is_lost(environment) else is_trial(environment) and is_next
    return Running(slot=slot, release=said, is_trial=is_tried, why=environment.get(WHY, ""))


def provided(options: DeviceOptions, memory: Memory | None) -> Truth:
    """What this device provides, for programs that only look."""
    try:
        boot = boot_of(options)
    except AgentError:
        boot = None
    if memory is not None and is_undecided(memory.state):
        return Truth({NAME: UNKNOWN, **memory.provides})
    known = memory.provides if memory else {}
    slots = memory.slots if memory else None
    return truth_of(known, slots, look(boot), options.store, MENDER)


def is_undecided(state: State) -> bool:
    """Whether an update of a root filesystem is under way: the old system is remembered still.

    Not if only its end is still to be told: the server may be away for weeks.
    """
    is_over = isinstance(state, Cleaning | Reporting)
    return isinstance(state, UnderWay) and state.update.has_rootfs and not is_over


def truth_of(
    known: Mapping[str, str], slots: Slots | None, now: Running, store: Path, mender: Path
) -> Truth:
    """What the device provides; with a memory that is new, what it left the factory with.

    Args:
        known: what it remembers to provide.
        store: the file of the memory.
    """
    if known.get(NAME):
        return truth(known, slots, now)
    is_lost = bool(now.why) or now.is_trial or store.with_name(f"{store.name}.broken").exists()
    if not is_lost:
        return Truth(_factory(store.parent, now.release, mender))
    why = f"the bootloader went back ({now.why}), and " if now.why else ""
    return Truth(of_release(now.release), f"{why}what the agent remembered is lost")


def _factory(data: Path, release: str, mender: Path) -> dict[str, str]:
    """What the device left the factory with.

    It is what a bootstrap artifact says (without a payload, and unsigned: who can write it there
    can write anything), else what the root filesystem says of itself.
    """
    for path in (data / "bootstrap.mender", mender):
        if path.exists():
            try:
                return provides.after(_artifact(path), {})
            except (ArtifactError, AgentError, OSError) as error:
                logger.error("bootstrap: %s: %s; it is passed over", path, error)
    return of_release(release)


def _artifact(path: Path) -> Artifact:
    from ota_artifact.reader import open_artifact

    with path.open("rb") as file:
        artifact = open_artifact(file)
        artifact.drain()
    header = artifact.header
    if any(each.type is not None for each in header.payloads):
        raise AgentError("holds a payload; install it as an update")
    found = {key: value for each in header.payloads for key, value in each.provides.items()}
    return Artifact(
        name=header.artifact_name, group=header.artifact_group or "", provides=found, clears=()
    )
