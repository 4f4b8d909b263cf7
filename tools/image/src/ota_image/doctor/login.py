# SPDX-License-Identifier: Apache-2.0
"""Hazards of who can log in: nobody should without a key or a password of the device's own."""

import re
from collections.abc import Iterator

from ota_artifact.finding import Finding, warning
from ota_image.disk.slot import Slot
from ota_image.doctor.case import Case

_NO_SHELLS = ("nologin", "false", "sync", "shutdown", "halt")
_HASH = re.compile(r"\$[0-9a-z]+\$.+|[A-Za-z0-9./]{13}")  # Source: crypt(5)
_SHELL = re.compile(
    rb"^[^#:\n]*:[^:\n]*:(?:respawn|askfirst|once|wait|boot):-?(?:/usr)?/bin/(?:ba|da|a)?sh\s*$",
    re.MULTILINE,
)
"""A shell in an inittab. Source: busybox, examples/inittab; sysvinit, inittab(5)."""

_BY_ITSELF = re.compile(
    rb"^[^#\n]*getty\b[^\n]*\s(?:--autologin|-a)[\s=]+[\w-]+|^[^#\n]*\blogin\s+-f\s", re.MULTILINE
)
"""Source: agetty(8), login(1)."""

_DEBUG_SHELL = "/etc/systemd/system/sysinit.target.wants/debug-shell.service"
_TAKES_EMPTY = re.compile(rb"^\s*PermitEmptyPasswords\s+yes\b", re.MULTILINE | re.IGNORECASE)
_DROPBEAR = re.compile(rb"^OTA_DROPBEAR=[\"']?-B|^DROPBEAR_EXTRA_ARGS=.*-B", re.MULTILINE)


def probe(case: Case) -> Iterator[Finding]:
    """Ways into each slot."""
    for slot in case.slots:
        if not slot.is_empty:
            yield from _slot(case, slot)


def _slot(case: Case, slot: Slot) -> Iterator[Finding]:
    place = f"slot {slot.part.name}"
    files = case.contents.get(slot.part.name, ())
    empty, shared = _accounts(slot)
    if empty:
        is_remote = any(_TAKES_EMPTY.search(f.data) or _DROPBEAR.search(f.data) for f in files)
        where = "on the console and by SSH" if is_remote else "on the console"
        yield case.choice(
            "open-login",
            f"{place}: /etc/shadow",
            f"anyone can log in as {' or '.join(empty)} without a password, {where}",
            "build without --open-login, and with --ssh-key FILE; in another root filesystem, lock"
            " the password (passwd -l)",
        )
    for file in files:
        is_open = (
            file.path.endswith("/inittab") and _SHELL.search(file.data)
        ) or _BY_ITSELF.search(file.data)
        if is_open:
            yield _without_asking(case, f"{place}: {file.path}")
    if slot.part.exists(_DEBUG_SHELL):
        yield _without_asking(case, f"{place}: {_DEBUG_SHELL}")
    if shared:
        yield warning(
            "shared-password",
            f"{place}: /etc/shadow",
            f"{' and '.join(shared)} has the same password on every device of this image",
            "lock it, and log in with SSH keys; or give each device its own",
        )


def _without_asking(case: Case, place: str) -> Finding:
    return case.choice(
        "open-login",
        place,
        "it gives a shell on the console to anyone, who is not even asked for a name",
        "start a getty there, without a user's name",
    )


def _accounts(slot: Slot) -> tuple[list[str], list[str]]:
    """The names of those who log in without a password, and with one that is in the image."""
    rows = _rows(slot.part.text("/etc/passwd"))
    shells = {row[0]: row[6].rpartition("/")[2] for row in rows if len(row) > 6}
    fields = {row[0]: row[1] for row in rows if len(row) > 1}
    for row in _rows(slot.part.text("/etc/shadow")):
        if len(row) > 1 and fields.get(row[0], "x") == "x":
            fields[row[0]] = row[1]
    users = {name: field for name, field in fields.items() if shells.get(name) not in _NO_SHELLS}
    empty = [name for name, field in users.items() if not field]
    return empty, [name for name, field in users.items() if _HASH.fullmatch(field)]


def _rows(text: str | None) -> list[list[str]]:
    return [line.split(":") for line in (text or "").splitlines() if line]
