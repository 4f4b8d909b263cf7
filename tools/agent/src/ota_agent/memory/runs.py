# SPDX-License-Identifier: Apache-2.0
"""What runs: what the running slot says of itself, compared with what is remembered; pure.

An artifact may have another name than the release in its root filesystem. So it is remembered for
each slot what that said, and what the device provided, when it was committed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ota_artifact.json_text import parse_any
from ota_artifact.provides import GROUP, NAME, ROOTFS

UNKNOWN = "unknown"
_ROOTFS = f"{ROOTFS}."
"""What the provides of a root filesystem begin with. Source: Mender's artifact format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What runs now.

    Attributes:
        slot: A or B; empty if it is not known.
        release: what the root filesystem says it is; empty if it does not say.
        is_trial: whether it is on trial; None if the environment cannot be read.
        why: the reason for which the bootloader went back last; empty without one.
    """

    slot: str = ""
    release: str = ""
    is_trial: bool | None = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """What a slot was when it was committed.

    Attributes:
        release: what its root filesystem said.
        provides: of the device, as far as a root filesystem brings them.
    """

    release: str
    provides: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Slots:
    """What is remembered of the slots.

    Attributes:
        running: the one that was committed last; empty if the device has none.
        known: by their names.
    """

    running: str = ""
    known: Mapping[str, Slot] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the device provides.

    Attributes:
        finding: why that is not what was remembered; empty if it is.
    """

    provides: Mapping[str, str]
    finding: str = ""


def truth(provides: Mapping[str, str], slots: Slots | None, now: Running) -> Truth:
    """What the device provides, by what it remembers and what runs.

    Args:
        provides: what it remembers; not empty.
        slots: None: an agent wrote the memory that did not remember them.
    """
    if slots is None:
        names = (provides.get(NAME), provides.get(f"{_ROOTFS}version"))
        if not now.release or now.release in names:
            return Truth(provides)
    else:
        last = slots.known.get(slots.running)
        is_same_slot = not now.slot or slots.running in ("", now.slot)
        if is_same_slot and (last is None or now.release in ("", last.release)):
            return Truth(provides)
    return Truth(_returned(provides, slots or Slots(), now), _finding(provides, slots, now))


def of_release(release: str) -> dict[str, str]:
    """What a device provides if only its release is known."""
    return {NAME: release or UNKNOWN} | ({f"{_ROOTFS}version": release} if release else {})


def committed(slots: Slots | None, now: Running, provides: Mapping[str, str]) -> Slots:
    """What is remembered of the slots, once what runs is committed."""
    own = {key: value for key, value in provides.items() if _is_of_slot(key)}
    before = slots.known if slots else {}
    return Slots(now.slot, {**before, now.slot: Slot(now.release, own)})


def without(slots: Slots, slot: str) -> Slots:
    """The same, once a slot is overwritten."""
    known = {name: each for name, each in slots.known.items() if name != slot}
    return Slots(slots.running, known)


def to_text(slots: Slots) -> str:
    """One line of JSON."""
    known = {
        name: {"release": each.release, "provides": dict(each.provides)}
        for name, each in slots.known.items()
    }
    return json.dumps({"running": slots.running, "slots": known}, sort_keys=True)


def from_text(text: str) -> Slots | None:
    """What was remembered; None if nothing was, or if it is damaged."""
    try:
        found = parse_any(text)
        known = {
            str(name): Slot(
                str(each["release"]), {str(key): str(v) for key, v in each["provides"].items()}
            )
            for name, each in found["slots"].items()
        }
        return Slots(str(found["running"]), known)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _is_of_slot(key: str) -> bool:
    return key in (NAME, GROUP) or key.startswith(_ROOTFS)


def _returned(provides: Mapping[str, str], slots: Slots, now: Running) -> dict[str, str]:
    """What the slot that runs had when it was committed, if it is that still; else its release."""
    others = {key: value for key, value in provides.items() if not _is_of_slot(key)}
    known = slots.known.get(now.slot)
    if known is not None and known.release == now.release:
        return {**others, **known.provides}
    return {**others, **of_release(now.release)}


def _finding(provides: Mapping[str, str], slots: Slots | None, now: Running) -> str:
    last = provides.get(NAME, UNKNOWN)
    where = f" in slot {slots.running}" if slots and slots.running else ""
    what = now.release or "a release without a name"
    runs = f"slot {now.slot} runs, with {what}" if now.slot else f"{what} runs"
    why = f"the bootloader went back ({now.why}): " if now.why else ""
    return f"{why}{runs}; the last update that was committed is {last}{where}"
