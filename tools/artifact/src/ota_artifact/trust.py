# SPDX-License-Identifier: Apache-2.0
"""The trust file: which keys count, and which never count again; docs/reference/trust-file.md.

It replaces keys on devices in the field. Each version is signed by keys of the version before, so
that a device that knows one of them follows to the newest.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from ota_artifact.errors import ArtifactError
from ota_artifact.json_text import format_object, parse_object
from ota_artifact.keys import PublicKey, Signer, parse_public_key
from ota_artifact.names import shown
from ota_artifact.security_version import MOST

FILE = "trust.json"
"""The name of the only file of that payload."""

LIMIT = 1 << 13  # [B] of a trust file
STEP = 1000
"""A version is at most so much above the one before: a stolen key cannot use up all numbers."""

Role = Literal["trust", "release", "debug"]
"""What a key may sign: trust files; any artifact; artifacts for devices that are under
development."""

ROLES: tuple[Role, ...] = get_args(Role)
USUAL: tuple[Role, ...] = ("trust", "release")

_FORMAT = 1
_CONTEXT = b"ota-trust\n"  # what is signed begins with it, so that no manifest is a trust file
_MOST_KEYS = 16
_MOST_REVOKED = 32
_MOST_PEM = 2048  # characters; an RSA key of 8192 bits has about 1,400
_ID = re.compile(r"[0-9a-f]{16}")
_DEVICE_TYPE = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key, and what it may sign.

    Attributes:
        device_types: the devices that it counts on; empty: all.
        expires: the last day on which it is good, UTC; None: it does not expire.
    """

    public: PublicKey
    roles: tuple[Role, ...] = USUAL
    device_types: tuple[str, ...] = ()
    expires: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFile:
    """One version of a trust file.

    Attributes:
        threshold: how many of the keys with the role trust must sign this and the next version.
        revoked: ids of keys that never count again.
        signatures: by the id of the key, raw; whether they are good is for `signers`.
    """

    version: int
    keys: tuple[TrustedKey, ...]
    threshold: int = 1
    revoked: tuple[str, ...] = ()
    signatures: Mapping[str, bytes]

    @property
    def signed(self) -> bytes:
        """The bytes that its signatures are over: sorted and minified JSON, after a first line."""
        return _CONTEXT + format_object(_body(self), sort=True)

    def signers(self, keys: Iterable[TrustedKey]) -> frozenset[str]:
        """The ids of those keys with the role trust whose signatures are good."""
        message = self.signed
        return frozenset(
            each.public.id
            for each in keys
            if "trust" in each.roles
            and (signature := self.signatures.get(each.public.id)) is not None
            and each.public.verifies(message, signature)
        )


def parse_trust(raw: bytes, place: str) -> TrustFile:
    """Read a trust file; its signatures are not checked.

    Args:
        place: its name, for messages.

    Raises:
        ArtifactError: it is damaged, or says what no device may follow.
    """
    if len(raw) > LIMIT:
        raise ArtifactError(f"{place}: is larger than {LIMIT} B; it is not a trust file")
    fields = _Fields(parse_object(raw, place), place, {"signed", "signatures"})
    body = _Fields(
        fields.value("signed", dict),
        f"{place}: signed",
        {"format", "version", "threshold", "keys", "revoked"},
    )
    if (found := body.number("format", 1, MOST)) != _FORMAT:
        raise ArtifactError(f"{place}: has format {found}, and {_FORMAT} is known; update the tool")
    keys = tuple(
        _key(each, f"{place}: keys[{number}]")
        for number, each in enumerate(body.items("keys", _MOST_KEYS))
    )
    revoked = tuple(body.ids("revoked", _MOST_REVOKED))
    signatures = {}
    for number, each in enumerate(fields.items("signatures", _MOST_KEYS)):
        part = _Fields(each, f"{place}: signatures[{number}]", {"key", "signature"})
        name = part.id("key")
        if name in signatures:
            raise ArtifactError(f"{place}: has two signatures of key {name}; remove one")
        signatures[name] = part.base64("signature")
    trust = TrustFile(
        version=body.number("version", 1, MOST),
        threshold=body.number("threshold", 1, _MOST_KEYS),
        keys=keys,
        revoked=revoked,
        signatures=signatures,
    )
    check(trust, place)
    return trust


def format_trust(trust: TrustFile, *, indent: int | None = 2) -> bytes:
    """The file, for users to read; without ``indent``, one line.

    Raises:
        ArtifactError: as `check`, or it would be too large.
    """
    check(trust, "trust file")
    signatures = [
        {"key": name, "signature": base64.b64encode(each).decode("ascii")}
        for name, each in sorted(trust.signatures.items())
    ]
    value = {"signed": _body(trust), "signatures": signatures}
    raw = json.dumps(value, indent=indent, ensure_ascii=True).encode("ascii") + b"\n"
    if len(raw) > LIMIT:
        raise ArtifactError(f"trust file: would be larger than {LIMIT} B; leave out old keys")
    return raw


def check(trust: TrustFile, place: str) -> None:
    """Pass unless a device that took it could never take another one, or no artifact.

    Raises:
        ArtifactError: it could not; or keys are named twice.
    """
    ids = [each.public.id for each in trust.keys]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise ArtifactError(f"{place}: has key {twice[0]} twice; name it once")
    if both := sorted({*ids} & {*trust.revoked}):
        raise ArtifactError(f"{place}: key {both[0]} is trusted and revoked; choose one")
    signing = sum("trust" in each.roles and not each.device_types for each in trust.keys)
    if signing < trust.threshold:
        raise ArtifactError(
            f"{place}: {signing} keys for any device have the role trust, and {trust.threshold}"
            " must sign the next version: no device could ever take one; add a key"
        )
    if not any("release" in each.roles and not each.device_types for each in trust.keys):
        raise ArtifactError(
            f"{place}: no key for any device has the role release: no device could take an update;"
            " add a key"
        )


def require_successor(
    new: TrustFile, keys: Iterable[TrustedKey], *, threshold: int, version: int, place: str
) -> None:
    """Pass if a device that trusts some keys may take a trust file.

    Args:
        keys: that are trusted until now.
        threshold: how many of them must have signed it.
        version: of the trust file until now; 0 if there is none.

    Raises:
        ArtifactError: it is not newer, or too few keys have signed it.
    """
    if new.version <= version:
        raise ArtifactError(
            f"{place}: has version {new.version}, and version {version} is known; make a newer one"
        )
    if new.version > version + STEP:
        raise ArtifactError(
            f"{place}: has version {new.version}, more than {STEP} above {version}; use"
            f" {version + 1}"
        )
    known = [each for each in keys if "trust" in each.roles]
    for signers, least, whose in (
        (new.signers(known), threshold, "that are trusted until now"),
        (new.signers(new.keys), new.threshold, "that it names itself"),
    ):
        if len(signers) < least:
            raise ArtifactError(
                f"{place}: version {new.version} is signed by {len(signers)} of the keys {whose},"
                f" and {least} must sign it; sign it with `ota-artifact trust sign`"
            )


def sign(trust: TrustFile, signer: Signer, keys: Iterable[PublicKey]) -> TrustFile:
    """Add a signature.

    Args:
        keys: the one of these that has made it gives the signature its name.

    Raises:
        ArtifactError: none of the keys has made it.
        ProgramError: the signer is a program, and failed.
    """
    from dataclasses import replace

    signature = signer.sign(trust.signed)
    for each in keys:
        if each.verifies(trust.signed, signature):
            return replace(trust, signatures={**trust.signatures, each.id: signature})
    raise ArtifactError(
        "the signature is of none of the known keys; give the public half (--verify-key)"
    )


def _body(trust: TrustFile) -> dict[str, Any]:
    keys = []
    for each in trust.keys:
        entry: dict[str, Any] = {"key": each.public.pem, "roles": [*each.roles]}
        if each.device_types:
            entry["device_types"] = [*each.device_types]
        if each.expires:
            entry["expires"] = each.expires.isoformat()
        keys.append(entry)
    return {
        "format": _FORMAT,
        "version": trust.version,
        "threshold": trust.threshold,
        "keys": keys,
        "revoked": [*trust.revoked],
    }


def parse_roles(words: Iterable[object], place: str) -> tuple[Role, ...]:
    """Roles by their names, in the usual order.

    Raises:
        ArtifactError: one is unknown, or there are none.
    """
    given = [*words]
    for each in given:
        if each not in ROLES:
            raise ArtifactError(f"{place}: {shown(str(each))} is not one of {', '.join(ROLES)}")
    if not given:
        raise ArtifactError(f"{place}: has no role; give one of {', '.join(ROLES)}")
    return tuple(each for each in ROLES if each in given)


def parse_day(text: object, place: str) -> date:
    """A day as in 2030-01-31.

    Raises:
        ArtifactError: it is not one.
    """
    try:
        if not isinstance(text, str) or len(text) != len("2030-01-31"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ArtifactError(
            f"{place}: {shown(str(text)[:40])} is not a date; write it as 2030-01-31"
        ) from None


def check_device_types(words: Iterable[object], place: str) -> tuple[str, ...]:
    """Device types as they are.

    Raises:
        ArtifactError: one cannot be a name.
    """
    found = []
    for each in words:
        if not isinstance(each, str) or not _DEVICE_TYPE.fullmatch(each):
            raise ArtifactError(f"{place}: {shown(str(each)[:140])} is not a device type")
        found.append(each)
    return tuple(found)


def _key(value: object, place: str) -> TrustedKey:
    fields = _Fields(value, place, {"key", "roles", "device_types", "expires"})
    pem = fields.value("key", str)
    if len(pem) > _MOST_PEM:
        raise ArtifactError(f"{place}.key: is longer than {_MOST_PEM} characters; use a P-256 key")
    public = parse_public_key(pem.encode("utf-8"), f"{place}.key")
    if public.pem != pem:
        raise ArtifactError(
            f"{place}.key: is not a plain PEM 'PUBLIC KEY'; write it as openssl does"
        )
    has_types, has_end = "device_types" in fields.table, "expires" in fields.table
    types = fields.items("device_types", _MOST_KEYS) if has_types else ()
    if has_types and not types:
        raise ArtifactError(f"{place}.device_types: is empty; leave it out for all devices")
    return TrustedKey(
        public=public,
        roles=parse_roles(fields.items("roles", len(ROLES)), f"{place}.roles"),
        device_types=check_device_types(types, f"{place}.device_types"),
        expires=parse_day(fields.table["expires"], f"{place}.expires") if has_end else None,
    )


class _Fields:
    """The fields of an object; one that is unknown is refused, and so is a value of another type.

    Raises:
        ArtifactError: one is.
    """

    def __init__(self, table: object, place: str, known: set[str]) -> None:
        if not isinstance(table, dict):
            raise ArtifactError(f"{place}: must be an object")
        self.table: dict[str, Any] = table
        self._place = place
        if unknown := sorted(table.keys() - known):
            raise ArtifactError(f"{place}: has the unknown field {shown(unknown[0][:80])}")

    def value(self, name: str, kind: type[Any]) -> Any:
        found = self.table.get(name)
        if type(found) is not kind:
            what = {dict: "an object", list: "a list", str: "a string", int: "a whole number"}
            raise ArtifactError(f"{self._place}.{name}: must be {what[kind]}")
        return found

    def number(self, name: str, least: int, most: int) -> int:
        found: int = self.value(name, int)
        if not least <= found <= most:
            raise ArtifactError(f"{self._place}.{name}: must be from {least} to {most}")
        return found

    def items(self, name: str, most: int) -> list[Any]:
        found: list[Any] = self.value(name, list)
        if len(found) > most:
            raise ArtifactError(f"{self._place}.{name}: has more than {most} entries")
        return found

    def id(self, name: str) -> str:
        return _checked_id(self.value(name, str), f"{self._place}.{name}")

    def ids(self, name: str, most: int) -> list[str]:
        place = f"{self._place}.{name}"
        return [_checked_id(each, place) for each in self.items(name, most)]

    def base64(self, name: str) -> bytes:
        text: str = self.value(name, str)
        try:
            return base64.b64decode(text.encode("ascii"), validate=True)
        except (ValueError, binascii.Error):
            raise ArtifactError(f"{self._place}.{name}: is not base64") from None


def _checked_id(value: object, place: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ArtifactError(f"{place}: {shown(str(value)[:40])} is not a key's id of 16 hex digits")
    return value
