# SPDX-License-Identifier: Apache-2.0
"""Which names and strings an artifact may hold; the same rules for reading and writing."""

import re

from ota_artifact.errors import ArtifactError

TEXT_LIMIT = 256
"""Longest artifact name, group, device type or provides key in UTF-8 [B].

Source: mender-artifact 4.2.
"""

MANIFEST_NAME_LIMIT = 100
"""Longest name in a manifest [characters]. Source: Mender's C++ client, manifest parser."""

SCRIPT_STATES = (
    "ArtifactInstall",
    "ArtifactReboot",
    "ArtifactCommit",
    "ArtifactRollback",
    "ArtifactRollbackReboot",
    "ArtifactFailure",
)
"""States whose scripts come in an artifact; those of Idle, Sync and Download are on the device."""

_FILE = re.compile(r"[A-Za-z0-9_\-.,]+")
_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]{0,127}")
_SCRIPT = re.compile(rf"({'|'.join(SCRIPT_STATES)})_(Enter|Leave|Error)_[0-9]{{2}}(_[!-.0-~]+)?")


def shown(text: str, limit: int = 80) -> str:
    """A string from an untrusted file, quoted, escaped and shortened for a message."""
    quoted = ascii(text)
    return quoted if len(quoted) <= limit else f"{quoted[:limit]}…"


def printable(text: str) -> str:
    """The text in one line, with control characters and the like escaped, for a terminal."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return "\\u007f" if character == "\x7f" else ascii(character)[1:-1]  # also right in JSON


def check_text(text: str, what: str) -> str:
    """Return an artifact name, group, device type or key if an artifact may hold it.

    Raises:
        ArtifactError: it is empty, longer than 256 bytes, or has an unprintable character.
    """
    if not text:
        raise ArtifactError(f"{what}: is empty; give it a value")
    if not text.isprintable():
        raise ArtifactError(f"{what}: {shown(text)} contains an unprintable character; remove it")
    if len(text.encode("utf-8")) > TEXT_LIMIT:
        raise ArtifactError(f"{what}: {shown(text)} is longer than {TEXT_LIMIT} B; shorten it")
    return text


def check_payload_type(name: str, what: str) -> str:
    """Return a payload type if it can only be the name of an update module.

    Raises:
        ArtifactError: not letters, digits and ``_ . + -``, or begins with ``.``, ``+``, ``-``.
    """
    if not _TYPE.fullmatch(name):
        raise ArtifactError(
            f"{what}: {shown(name)} is not a payload type; use letters, digits, '_', '.', '+', '-'"
        )
    return name


def check_file_name(name: str, what: str) -> str:
    """Return the name of a payload file if it is one plain path component.

    Raises:
        ArtifactError: it has a character outside ``A-Z a-z 0-9 _ - . ,`` or is ``.`` or ``..``.
    """
    if not _FILE.fullmatch(name) or name in {".", ".."}:
        raise ArtifactError(
            f"{what}: {shown(name)} is not the name of a payload file;"
            " use letters, digits, '_', '-', '.', ','"
        )
    if len("data/0000/") + len(name) > MANIFEST_NAME_LIMIT:
        raise ArtifactError(
            f"{what}: {shown(name)} is longer than the {MANIFEST_NAME_LIMIT - 10} characters"
            " that Mender's client takes; shorten it"
        )
    return name


def check_script_name(name: str, what: str) -> str:
    """Return a state script's name if it is ``<State>_<Enter|Leave|Error>_<NN>[_text]``.

    Raises:
        ArtifactError: another form, a state whose scripts are not in artifacts, or a path.
    """
    if not _SCRIPT.fullmatch(name) or len(name) > TEXT_LIMIT:
        raise ArtifactError(
            f"{what}: {shown(name)} is not the name of a state script;"
            " write it as 'ArtifactInstall_Enter_00_text', with one of the states"
            f" {', '.join(SCRIPT_STATES)}"
        )
    return name
