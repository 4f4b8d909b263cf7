# SPDX-License-Identifier: Apache-2.0
"""Hazards of what every device of an image would share, and must have for itself."""

import re
from collections.abc import Iterator

from ota_artifact.finding import Finding, fault
from ota_artifact.image.small_files import SmallFile
from ota_image.doctor.case import Case
from ota_image.doctor.secrets import is_machine_id, private_key_in

_DEVICE_TYPE = re.compile(
    rb"""^\s*(?:OTA_DEVICE_TYPE|device_type)\s*=\s*["']?([^"'$\s]+)["']?\s*$""", re.MULTILINE
)
_SQLITE = b"SQLite format 3\0"  # Source: SQLite, "Database File Format", 1.3
_STORE = "/mender-store"
"""The memory of Mender's client; that of our agent is a file of SQLite in a folder ``ota``."""


def probe(case: Case) -> Iterator[Finding]:
    """Identity in a slot or on /data of a factory image; a device that has run has its own."""
    slots = {slot.part.name for slot in case.slots}
    if case.is_booted:
        return
    for name, files in case.contents.items():
        place = f"slot {name}" if name in slots else f"partition {name}"
        for file in files:
            yield from _file(case, f"{place}: {file.path}", file)


def _file(case: Case, place: str, file: SmallFile) -> Iterator[Finding]:
    if kind := private_key_in(file.data):
        yield fault(
            "private-key-in-image",
            place,
            f"it is a {kind}: every device of this image has it, and anyone with the image can"
            " pretend to be any of them",
            "take it out; a device makes its own keys when it first starts. Replace it wherever it"
            " is in use",
        )
    if is_machine_id(file.data):
        yield fault(
            "machine-id-in-image",
            place,
            "every device of this image has the same machine-id, so that logs, DHCP and servers"
            " take them for one",
            "leave the file empty: systemd makes an id at the first boot, and so do our scripts",
        )
    is_ours = "/ota/" in file.path and file.data.startswith(_SQLITE)
    if is_ours or file.path.endswith(_STORE):
        yield fault(
            "agent-state-in-image",
            place,
            "it is what an agent remembers of one device: its updates, and its place on the server",
            "take it out; the agent makes it",
        )
    types = case.board.device_types if case.board else ()
    for match in _DEVICE_TYPE.finditer(file.data):
        found = match[1].decode("utf-8", "replace")
        if types and found not in types:
            yield fault(
                "device-type-of-another-board",
                place,
                f"it says {found}, and the board is {' or '.join(types)}: the device refuses the"
                " updates for it, and takes those of another board",
                f"write device_type={types[0]}, or take it out",
            )
