# SPDX-License-Identifier: Apache-2.0
"""What a build adds to a root filesystem in addition to its recipe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ota_artifact.certificate import parse_certificates
from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PublicKey, parse_public_key, require_one, require_sound
from ota_image.errors import ImageError
from ota_image.packages.recipe import USER_IDS, USER_NAME, User
from ota_image.rootfs.wheel import Wheel

_KEYS = ("ssh-", "ecdsa-", "sk-")
"""The start of a line with a public key. Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT"."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public key that artifacts may be signed with.

    Attributes:
        name: of its file on the device, by its content.
        pem: the key, in PEM.
    """

    name: str
    pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a build adds.

    Attributes:
        release: empty for the default one, ``<version>+<hash of the inputs>``.
        security_version: below which a device that has committed it never goes; None for none.
        ssh_keys: public keys, one line each, of those who may log in.
        users: in addition to the recipe's; they log in with the same keys.
        server: its URL; empty for none.
        certificate: of the server, in PEM; empty if a known authority signed it.
        overlays: folders whose files replace all others.
        wheels: of the agent; () for an image without it.
        verify_keys: one of them must have signed an artifact; () if the device takes any.
        is_unsigned: a device with a server may take any artifact: the user asks for it.
        is_open: root may log in without a password: the user asks for it.
    """

    release: str = ""
    security_version: int | None = None
    ssh_keys: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    server: str = ""
    certificate: str = ""
    overlays: tuple[Path, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    verify_keys: tuple[VerifyKey, ...] = ()
    is_unsigned: bool = False
    is_open: bool = False

    def trusting(self, key: PublicKey) -> "Settings":
        """The same, and the device trusts a key."""
        keys = dict.fromkeys((*self.verify_keys, VerifyKey(f"{key.id}.pem", key.pem)))
        return replace(self, verify_keys=tuple(keys))


def read_users(texts: Sequence[str]) -> tuple[User, ...]:
    """The users of the options ``NAME`` or ``NAME:UID``; the default numbers start at 1000.

    Raises:
        ImageError: a name or number is not a user's, or two users share one.
    """
    users: list[User] = []
    for count, text in enumerate(texts):
        name, colon, number = text.partition(":")
        if not USER_NAME.fullmatch(name) or name == "root":
            raise ImageError(f"--user {text!r}: must start with a name in lower-case letters")
        uid = int(number) if number.isdecimal() else USER_IDS.start + count
        if (colon and not number.isdecimal()) or uid not in USER_IDS:
            raise ImageError(f"--user {text!r}: must have a number from 1000 to 59999")
        users.append(User(name, uid))
    check_users(users)
    return tuple(users)


def check_users(users: Sequence[User]) -> None:
    """Check that no two users have the same name or number.

    Raises:
        ImageError: two have.
    """
    for index, user in enumerate(users):
        for other in users[:index]:
            if user.name == other.name or user.uid == other.uid:
                raise ImageError(
                    f"user {user.name} ({user.uid}): {other.name} has the number {other.uid};"
                    " give one of them another name or number, as in --user NAME:UID"
                )


def read_ssh_keys(path: Path) -> tuple[str, ...]:
    """The public keys of a file such as ``~/.ssh/id_ed25519.pub``.

    Raises:
        ImageError: a line is not a public key, or the file has a private key.
        OSError: it cannot be read.
    """
    text = path.read_text("utf-8", "replace")
    if "PRIVATE KEY" in text:
        raise ImageError(f"{path}: is a private key; give the public one, {path}.pub")
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    for number, line in enumerate(lines, 1):
        if line in keys and not line.startswith(_KEYS):
            raise ImageError(f"{path}:{number}: is not a public key of OpenSSH")
    if not keys:
        raise ImageError(f"{path}: has no public key")
    return keys


def read_verify_key(path: Path) -> VerifyKey:
    """A public key in PEM, that artifacts may be signed with.

    Raises:
        ImageError: the file does not have such a key, or has a private one.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if b"PRIVATE KEY" in data:
        raise ImageError(
            f"{path}: is a private key, which must not be on a device; give its public half, which"
            f" `openssl pkey -in {path} -pubout` prints"
        )
    try:
        key = parse_public_key(data, str(path))
        require_one(data, str(path))
        require_sound(key)
    except ArtifactError as error:
        raise ImageError(str(error)) from error
    return VerifyKey(f"{key.id}.pem", key.pem)


def read_certificate(path: Path) -> str:
    """The certificates in PEM of a server, or of the authority that signed its own.

    Raises:
        ImageError: the file is not certificates, has a private key too, or the device would refuse
            it: it has expired, or it is a server's own and names no host.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if b"-----BEGIN CERTIFICATE-----" not in data or b"PRIVATE KEY" in data:
        raise ImageError(f"{path}: is not just a certificate in PEM; give the file without its key")
    try:
        found = parse_certificates(data)
    except ArtifactError as error:
        raise ImageError(f"{path}: {error}") from error
    if all(each.end < datetime.now(UTC) for each in found):
        raise ImageError(f"{path}: has expired on {found[0].end:%Y-%m-%d}; give one that is good")
    if not any(each.is_authority or each.has_host for each in found):
        raise ImageError(
            f"{path}: is a server's certificate without a host's name in its subjectAltName, which"
            " a device refuses; make one with subjectAltName=DNS:HOST"
        )
    return data.decode("utf-8", "replace")
