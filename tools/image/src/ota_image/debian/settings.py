# SPDX-License-Identifier: Apache-2.0
"""What is put into a root filesystem at build time, beside its recipe."""

from dataclasses import dataclass
from pathlib import Path

from ota_image.errors import ImageError

_KEYS = ("ssh-", "ecdsa-", "sk-")
"""How a line of a public key begins. Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT"."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a build adds.

    Attributes:
        release: empty for the default one, ``<version>+<hash of the inputs>``.
        ssh_keys: public ones, a line each, of who may log in.
        server: its URL; empty if there is none.
        certificate: of the server, in PEM; empty if a known authority signed it.
        overlays: folders whose files come last.
    """

    release: str = ""
    ssh_keys: tuple[str, ...] = ()
    server: str = ""
    certificate: str = ""
    overlays: tuple[Path, ...] = ()


def read_ssh_keys(path: Path) -> tuple[str, ...]:
    """The public keys of a file such as ``~/.ssh/id_ed25519.pub``.

    Raises:
        ImageError: a line is none; a private key most of all.
        OSError: it cannot be read.
    """
    text = path.read_text("utf-8", "replace")
    if "PRIVATE KEY" in text:
        raise ImageError(f"{path}: is a private key; give the public one, {path}.pub")
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    for number, line in enumerate(lines, 1):
        if line in keys and not line.startswith(_KEYS):
            raise ImageError(f"{path}:{number}: is no public key of OpenSSH")
    if not keys:
        raise ImageError(f"{path}: has no public key")
    return keys


def read_certificate(path: Path) -> str:
    """A certificate in PEM.

    Raises:
        ImageError: it is none.
        OSError: it cannot be read.
    """
    text = path.read_text("utf-8", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text or "PRIVATE KEY" in text:
        raise ImageError(f"{path}: is no certificate in PEM alone")
    return text
