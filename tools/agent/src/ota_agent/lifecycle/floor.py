# SPDX-License-Identifier: Apache-2.0
"""The floor: the security versions below which the device never goes back; pure.

It is kept for each software, and for each key that has verified an artifact of it. A number counts
only while its key is configured, so that no key can raise the floor for good: a configuration with
another key resets what a stolen one has raised. A number without a key always counts: it is of an
artifact that nobody verified, of an older agent, or of what the factory installed.

There are two copies, in the agent's memory and in the bootloader's environment, and of each number
the higher one counts.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ota_artifact.provides import ROOTFS, TRUST_FILE
from ota_artifact.security_version import MOST, SecurityVersion

TRUST = f"{ROOTFS}.{TRUST_FILE}"
"""The software of the trust file, whose version never goes back either."""

REVOKED = "ota-revoked"
"""In place of a software: the key never counts again; the number is the trust file's version."""

_KEY = 8  # digits of a key's id
_LONGEST = 300  # characters of the variable; GRUB's environment has 1024 B in all
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_WORD = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]{1,40}|~[0-9a-f]{8}):(?P<key>(?:[0-9a-f]{8})?):(?P<number>[0-9]{1,10})"
)


@dataclass(frozen=True, slots=True)
class Floor:
    """The numbers, by the name of the software and the id of the key, which is empty for none.

    A name that an environment cannot hold is a part of its hash; see `name_of`.
    """

    numbers: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def of(self, software: str, keys: Collection[str] | None) -> int | None:
        """The floor of one software; None if it has none.

        Args:
            keys: ids of those that are configured; None if not all of them are known: all count.
        """
        return self.counting(keys).get(name_of(software))

    def counting(self, keys: Collection[str] | None) -> dict[str, int]:
        """The floor of each software that has one, by name; see `of`. Revoked keys are left out."""
        found: dict[str, int] = {}
        known = None if keys is None else {each[:_KEY] for each in keys}
        for (name, key), number in sorted(self.numbers.items()):
            if name != REVOKED and (not key or known is None or key in known):
                found[name] = max(number, found.get(name, 0))
        return found

    def has(self, software: str) -> bool:
        """Whether there is a number of a software, whatever its key."""
        return any(name == name_of(software) for name, _ in self.numbers)

    @property
    def revoked(self) -> dict[str, int]:
        """Which version of the trust file has revoked a key, by the first digits of its id."""
        return {key: number for (name, key), number in self.numbers.items() if name == REVOKED}

    @property
    def trust(self) -> int:
        """The version of the newest trust file that was taken; 0 if none was."""
        return self.numbers.get((TRUST, ""), 0)

    def merged(self, other: "Floor") -> "Floor":
        """The higher one of each number."""
        found = dict(self.numbers)
        for entry, number in other.numbers.items():
            found[entry] = max(number, found.get(entry, 0))
        return Floor(found)

    def committed(
        self, versions: Iterable[SecurityVersion], key: str, keys: Collection[str] | None
    ) -> "Floor":
        """The floor once an artifact with these numbers is committed.

        It is lowered only where the artifact names the exact floor, and then for all keys.

        Args:
            key: id of the key that has verified it; empty if none has.
            keys: as in `of`.
        """
        found = dict(self.numbers)
        for each in versions:
            name = name_of(each.software)
            if is_lowered(self.of(each.software, keys), each):
                found = {entry: number for entry, number in found.items() if entry[0] != name}
            entry = name, key[:_KEY]
            found[entry] = max(each.number, found.get(entry, 0))
        return Floor(found)


def sentence(floor: Floor) -> str:
    """The numbers for a user; empty if there are none."""
    return ", ".join(
        f"key {key} revoked"
        if name == REVOKED
        else f"{name} {number}" + (f" of key {key}" if key else "")
        for (name, key), number in sorted(floor.numbers.items())
    )


def of_trust(version: int, revoked: Iterable[str]) -> Floor:
    """What a trust file adds to the floor, whichever keys count later.

    Args:
        revoked: the ids of keys.
    """
    found = {(REVOKED, each[:_KEY]): version for each in revoked}
    return Floor({(TRUST, ""): version, **found} if version else {})


def is_revoked(key: str, revoked: Collection[str]) -> bool:
    """Whether a key is among those of `Floor.revoked`.

    Args:
        key: its id.
    """
    return key[:_KEY] in revoked


def is_lowered(floor: int | None, version: SecurityVersion) -> bool:
    """Whether an artifact is below a floor, and its signer allows it to lower just that one."""
    return floor is not None and version.number < floor and floor in version.lowers


def name_of(software: str) -> str:
    """The name of a software in a `Floor`: its own, or a part of its hash."""
    if _NAME.fullmatch(software):
        return software
    import hashlib  # which brings OpenSSL; few names need it

    return f"~{hashlib.sha256(software.encode()).hexdigest()[:8]}"


def to_variable(floor: Floor) -> str:
    """What the environment holds: words such as ``rootfs-image:1a2b3c4d:7``.

    The root filesystem's come first, then those of keys; what has no room is only in the memory.
    """
    text = ""
    order = {ROOTFS: 0, TRUST: 1, REVOKED: 2}
    entries = sorted(floor.numbers.items(), key=lambda each: (order.get(each[0][0], 3), each))
    for (name, key), number in entries:
        longer = f"{text} {name}:{key}:{number}".lstrip()
        if len(longer) <= _LONGEST:
            text = longer
    return text


def from_variable(text: str) -> Floor:
    """What the environment says; what is not a number of a software is left out."""
    found: dict[tuple[str, str], int] = {}
    for match in map(_WORD.fullmatch, text.split()):
        if match is not None and int(match["number"]) <= MOST:
            entry = match["name"], match["key"]
            found[entry] = max(int(match["number"]), found.get(entry, 0))
    return Floor(found)
