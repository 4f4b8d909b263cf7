# SPDX-License-Identifier: Apache-2.0
"""Hazards of who can log in: nobody should without a key or a password of the device's own."""

import re
from collections.abc import Iterator

from ota_artifact.finding import Finding, warning
from ota_artifact.image.small_files import SmallFile
from ota_image.disk.slot import Slot
from ota_image.doctor.case import Case
from ota_image.doctor.contents import Contents, is_program

_NO_SHELLS = ("nologin", "false", "sync", "shutdown", "halt")
_HASH = re.compile(r"\$[0-9a-z]+\$.+|[A-Za-z0-9./]{13}")  # Source: crypt(5)
_SH = rb"(?:(?:/usr)?/bin/)?(?:busybox[ \t]+)?(?:ba|da|a|z|k)?sh"
_SHELL = re.compile(
    rb"^[^#:\n]*:[^:\n]*:(?:respawn|askfirst|once|wait|boot):-?"
    rb"(?:[\w/]{0,99}(?:setsid|cttyhack|openvt|env)[ \t]+(?:-\S+[ \t]+){0,5}){0,3}"
    rb"%b(?:[ \t]+-[il]+)?[ \t\r]*$" % _SH,
    re.MULTILINE,
)
"""A shell in an inittab. Source: busybox, examples/inittab; sysvinit, inittab(5)."""

_UNASKED = re.compile(
    rb"^[^#\n]{0,400}(?:getty\b[^\n]{0,400}[ \t](?:--autologin|-a)[ \t=]+[\w-]"
    rb"|(?:getty|telnetd)\b[^\n]{0,400}[ \t](?:--login-program|-l)[ \t=]*%b\b(?![/.-])"
    rb"|\blogin[ \t]+-f[ \t])"
    rb"|^[ \t]*auth[ \t]+sufficient[ \t]+pam_permit\.so"
    rb"|^[^#\n]{0,400}\bSYSTEMD_SULOGIN_FORCE=[\"']?(?:1|y|t|on)" % _SH,
    re.MULTILINE,
)
"""A login without a name or a password. Source: agetty(8), busybox's getty and telnetd, login(1),
pam_permit(8), systemd's ENVIRONMENT."""

_SHELL_UNIT = re.compile(rb"^ExecStart=[-@:+!]*%b(?:[ \t]+-[il]+)?[ \t\r]*$" % _SH, re.MULTILINE)
_ON_TTY = re.compile(rb"^StandardInput=tty", re.MULTILINE)
"""Together they are a shell on a console. Source: systemd.exec(5)."""

_ARGUMENT = re.compile(
    r"init=(?:/usr)?/bin/\w*sh|(?:systemd\.debug[_-]shell)(?:=(?:1|yes|true|on))?|rd\.break(?:=.*)?"
)
"""Of the kernel. Source: kernel-parameters.txt, systemd-debug-generator(8), dracut.cmdline(7)."""

_OFFERED = "/debug-shell.service"
"""In every systemd, but wanted by nothing."""

_UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_TAKES_EMPTY = re.compile(
    rb"^[ \t]*PermitEmptyPasswords(?:[ \t]+|[ \t]*=[ \t]*)\"?yes\b", re.MULTILINE | re.IGNORECASE
)
_DROPBEAR = re.compile(rb"^OTA_DROPBEAR=[\"']?-B|^DROPBEAR_EXTRA_ARGS=[^\n]{0,400}-B", re.MULTILINE)


def probe(case: Case) -> Iterator[Finding]:
    """Ways into each slot."""
    for slot in case.slots:
        if not slot.is_empty:
            yield from _slot(case, slot)


def _slot(case: Case, slot: Slot) -> Iterator[Finding]:
    place = f"slot {slot.part.name}"
    contents = case.contents.get(slot.part, Contents())
    files = [file for file in contents.files if not is_program(file.path)]
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
        if gives_shell(file):
            yield _without_asking(case, f"{place}: {file.path}")
    for units in _UNITS:
        for folder in slot.part.names(units):
            link = f"{units}/{folder}{_OFFERED}"
            if folder.endswith((".wants", ".requires")) and slot.part.exists(link):
                yield _without_asking(case, f"{place}: {link}")
    if entry := slot.extlinux:
        for word in filter(_ARGUMENT.fullmatch, entry.append.split()):
            yield _without_asking(case, f"{place}: {entry.file}: {word}")
    if shared:
        yield warning(
            "shared-password",
            f"{place}: /etc/shadow",
            f"{' and '.join(shared)} has the same password on every device of this image",
            "lock it, and log in with SSH keys; or give each device its own",
        )


def gives_shell(file: SmallFile) -> bool:
    """Whether a file gives a shell, or a login, to anyone."""
    if file.path.endswith("/inittab") and _SHELL.search(file.data):
        return True
    is_unit = file.path.endswith((".service", ".conf")) and not file.path.endswith(_OFFERED)
    if is_unit and _SHELL_UNIT.search(file.data):
        return bool(_ON_TTY.search(file.data))
    return bool(_UNASKED.search(file.data))


def _without_asking(case: Case, place: str) -> Finding:
    return case.choice(
        "open-login",
        place,
        "it gives a shell to anyone, who is not even asked for a password",
        "take it out; a getty there that asks for a name and a password is enough",
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
