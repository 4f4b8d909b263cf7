# SPDX-License-Identifier: Apache-2.0
"""Hazards of what every device of an image would share, and must have for itself."""

import re
from collections.abc import Collection, Iterator

from ota_artifact.finding import Finding, fault, warning
from ota_artifact.image.small_files import SmallFile
from ota_image.doctor.case import Case
from ota_image.doctor.contents import is_program
from ota_image.doctor.secrets import is_machine_id, private_key_in, secret_in

_DEVICE_TYPE = re.compile(
    rb"""^[ \t]*(?:OTA_DEVICE_TYPE|device_type)[ \t]*=[ \t]*["']?([^"'$\s]+)["']?[ \t\r]*$""",
    re.MULTILINE,
)
_SQLITE = b"SQLite format 3\0"  # Source: SQLite, "Database File Format", 1.3
_TABLE = b"CREATE TABLE kept (name TEXT PRIMARY KEY"  # Source: ota_agent.memory.store
_STORE = "/mender-store"
"""The memory of Mender's client; that of our agent is a file of SQLite."""

_SEEDS = ("/random-seed", "/seed.credit", "/seed.no-credit")
"""Source: systemd-random-seed(8), bootctl(1), seedrng's README."""

_SECRETS = ("/systemd/credential.secret", "/NetworkManager/secret_key")
"""Keys of a machine without a form of their own. Source: systemd-creds(1), NetworkManager(8)."""

_MACHINE_ID = re.compile(r"systemd\.machine_id=(?!firmware$).+")  # Source: systemd(1)
_NAMES_TYPE = "/etc/ota/board"


def probe(case: Case) -> Iterator[Finding]:
    """Identity in a slot or on /data of a factory image; a device that has run has its own."""
    slots = {slot.part for slot in case.slots}
    if case.is_booted:
        return
    types = _types(case)
    for part, contents in case.contents.items():
        place = f"{'slot' if part in slots else 'partition'} {part.name}"
        for file in contents.files:
            yield from _key(f"{place}: {file.path}", file)
            if part not in slots or not is_program(file.path):
                yield from _file(f"{place}: {file.path}", file)
                yield from _device_type(types, f"{place}: {file.path}", file)
    for slot in case.slots:
        entry = slot.extlinux
        if entry and any(map(_MACHINE_ID.fullmatch, entry.append.split())):
            yield _machine_id(f"slot {slot.part.name}: {entry.file}")


def _types(case: Case) -> tuple[str, ...]:
    """The device types of the board, or else of what slot A says that it was built for."""
    if case.board:
        return case.board.device_types
    found = (slot.part.read(_NAMES_TYPE, 1 << 16) for slot in case.slots)
    match = next((_DEVICE_TYPE.search(each) for each in found if each), None)
    return (match[1].decode("utf-8", "replace"),) if match else ()


def _key(place: str, file: SmallFile) -> Iterator[Finding]:
    kind = private_key_in(file.data)
    if not kind and file.path.endswith(_SECRETS) and file.data:
        kind = "secret of a machine"
    if kind:
        yield fault(
            "private-key-in-image",
            place,
            f"it is a {kind}: every device of this image has it, and anyone with the image can"
            " pretend to be any of them",
            "take it out; a device makes its own keys when it first starts. Replace it wherever it"
            " is in use",
        )


def _file(place: str, file: SmallFile) -> Iterator[Finding]:
    if not private_key_in(file.data) and (secret := secret_in(file.data)):
        yield warning(
            "secret-in-image",
            place,
            f"it has a {secret}: every device of this image has it, and so has anyone with the"
            " image or an update",
            "give it to each device on /data, or let it be one that may be known",
        )
    if file.path.endswith(_SEEDS) and file.data:
        yield fault(
            "random-seed-in-image",
            place,
            "every device of this image starts its random numbers from the same seed, and the keys"
            " that it makes at its first boot may be guessed",
            "take it out; the system writes one when it stops",
        )
    if is_machine_id(file.data):
        yield _machine_id(place)
    is_ours = file.data.startswith(_SQLITE) and ("/ota/" in file.path or _TABLE in file.data)
    if is_ours or file.path.endswith(_STORE):
        yield fault(
            "agent-state-in-image",
            place,
            "it is what an agent remembers of one device: its updates, and its place on the server",
            "take it out; the agent makes it",
        )


def _machine_id(place: str) -> Finding:
    return fault(
        "machine-id-in-image",
        place,
        "every device of this image has the same machine-id, so that logs, DHCP and servers"
        " take them for one",
        "leave the file empty: systemd makes an id at the first boot, and so do our scripts",
    )


def _device_type(types: Collection[str], place: str, file: SmallFile) -> Iterator[Finding]:
    for match in _DEVICE_TYPE.finditer(file.data):
        found = match[1].decode("utf-8", "replace")
        if types and found not in types:
            yield fault(
                "device-type-of-another-board",
                place,
                f"it says {found}, and the board is {' or '.join(types)}: the device refuses the"
                " updates for it, and takes those of another board",
                f"write device_type={min(types)}, or take it out",
            )
