# SPDX-License-Identifier: Apache-2.0
"""The trust file: what it says, who has signed it, and what is refused."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ota_artifact.errors import ArtifactError
from ota_artifact.keys import PrivateKey
from ota_artifact.trust import TrustedKey, TrustFile, format_trust, parse_trust, sign

ONE, OTHER = (PrivateKey(name, ec.generate_private_key(ec.SECP256R1())) for name in ("1", "2"))
RSA = PrivateKey("rsa", rsa.generate_private_key(65537, 2048))

TRUST = TrustFile(
    version=3,
    keys=(
        TrustedKey(public=ONE.public),
        TrustedKey(public=RSA.public, roles=("trust",)),
        TrustedKey(
            public=OTHER.public,
            roles=("debug",),
            device_types=("rpi3", "rpi4"),
            expires=date(2030, 1, 31),
        ),
    ),
    threshold=2,
    revoked=("0123456789abcdef",),
    signatures={},
)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(format_trust(sign(TRUST, ONE, [ONE.public])))
    change(value)
    return json.dumps(value).encode()


def signed(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda whole: whole["signed"].update({name: value})


def of_key(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda whole: whole["signed"]["keys"][2].update({name: value})


@pytest.mark.parametrize("indent", [2, None])
def test_what_is_written_is_read_with_its_signatures(indent: int | None) -> None:
    written = sign(sign(TRUST, ONE, [ONE.public]), RSA, [ONE.public, RSA.public])

    found = parse_trust(format_trust(written, indent=indent), "trust.json")

    assert [each.public.id for each in found.keys] == [each.public.id for each in TRUST.keys]
    assert found.keys[2].device_types == ("rpi3", "rpi4")
    assert found.keys[2].expires == date(2030, 1, 31)
    assert (found.version, found.threshold, found.revoked) == (3, 2, ("0123456789abcdef",))
    assert found.signers(found.keys) == {ONE.public.id, RSA.public.id}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 4},
        {"threshold": 1},
        {"revoked": ()},
        {"keys": TRUST.keys[:2]},
        {"keys": (replace(TRUST.keys[0], roles=("trust", "release", "debug")), *TRUST.keys[1:])},
    ],
)
def test_a_signature_is_over_all_of_it(change: dict[str, Any]) -> None:
    found = replace(sign(TRUST, ONE, [ONE.public]), **change)

    assert not found.signers(found.keys)


def test_only_a_key_for_trust_signs_it() -> None:
    by_debug = sign(TRUST, OTHER, [OTHER.public])

    assert not by_debug.signers(by_debug.keys)


def test_a_signature_of_an_artifact_is_not_one_of_a_trust_file() -> None:
    bare = TRUST.signed.partition(b"\n")[2]
    found = replace(TRUST, signatures={ONE.public.id: ONE.sign(bare)})

    assert not found.signers(found.keys)


def test_a_signature_of_an_unknown_key_is_not_added() -> None:
    with pytest.raises(ArtifactError, match="of none of the known keys"):
        sign(TRUST, OTHER, [ONE.public])


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (signed("format", 2), "has format 2, and 1 is known"),
        (signed("version", 0), "signed.version: must be from 1 to"),
        (signed("version", 1 << 31), "signed.version: must be from 1 to"),
        (signed("version", "3"), "signed.version: must be a whole number"),
        (signed("version", True), "signed.version: must be a whole number"),
        (signed("version", 3.0), "signed.version: must be a whole number"),
        (signed("threshold", 3), "2 keys for any device have the role trust, and 3 must sign"),
        (signed("threshold", 0), "signed.threshold: must be from 1"),
        (signed("keys", []), "0 keys for any device have the role trust"),
        (signed("keys", {}), "signed.keys: must be a list"),
        (signed("revoked", ["0123456789ABCDEF"]), "is not a key's id of 16 hex digits"),
        (signed("revoked", [ONE.public.id]), "is trusted and revoked"),
        (signed("revoked", ["0123456789abcdef"] * 33), "has more than 32 entries"),
        (signed("more", 1), "has the unknown field 'more'"),
        (of_key("roles", []), "has no role"),
        (of_key("roles", ["root"]), "'root' is not one of trust, release, debug"),
        (of_key("roles", [["trust"]]), "is not one of"),
        (of_key("device_types", []), "is empty; leave it out"),
        (of_key("device_types", ["a b"]), "'a b' is not a device type"),
        (of_key("device_types", [1]), "is not a device type"),
        (of_key("expires", "2030-02-31"), "'2030-02-31' is not a date"),
        (of_key("expires", 20300131), "is not a date"),
        (of_key("expires", "20300131"), "is not a date"),
        (of_key("key", "x" * 3000), "is longer than 2048 characters"),
        (of_key("key", "-----BEGIN PUBLIC KEY-----\n"), "is not a public key in PEM"),
        (of_key("key", ONE.public.pem), f"has key {ONE.public.id} twice"),
        (of_key("key", OTHER.public.pem + "\n"), "is not a plain PEM"),
        (lambda whole: whole["signatures"].append(whole["signatures"][0]), "has two signatures"),
        (lambda whole: whole["signatures"][0].update(signature="?"), "is not base64"),
        (lambda whole: whole["signatures"][0].update(key="x"), "is not a key's id"),
        (lambda whole: whole.pop("signatures"), "signatures: must be a list"),
        (lambda whole: whole.update(x=[[[]]]), "unknown field 'x'"),
    ],
)
def test_what_no_device_may_follow_is_refused(
    change: Callable[[dict[str, Any]], object], finding: str
) -> None:
    with pytest.raises(ArtifactError, match=finding):
        parse_trust(changed(change), "trust.json")


@pytest.mark.parametrize(
    ("raw", "finding"),
    [
        (b"", "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b"\0" * 100, "is not JSON"),
        (b'{"signed": ' * 700, "is not JSON"),
        (b"{" + b" " * 8192 + b"}", "is larger than 8192 B"),
        (b'{"signed": {}, "signed": {}}', "appears twice"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_what_is_not_a_trust_file_is_refused(raw: bytes, finding: str) -> None:
    with pytest.raises(ArtifactError, match=finding):
        parse_trust(raw, "trust.json")


def test_a_weak_key_is_not_trusted() -> None:
    from ota_artifact.keys import PublicKey

    weak = PublicKey("weak", rsa.generate_private_key(65537, 1024).public_key())  # noqa: S505

    with pytest.raises(ArtifactError, match="1024 bits, which others can break"):
        parse_trust(changed(of_key("key", weak.pem)), "trust.json")


def test_a_key_for_one_device_type_is_not_the_last_one() -> None:
    keys = (TrustedKey(public=ONE.public, device_types=("rpi3",)),)

    with pytest.raises(ArtifactError, match="no device could ever take one"):
        format_trust(replace(TRUST, keys=keys, threshold=1))


def test_a_signature_may_be_in_der_as_an_hsm_makes_it() -> None:
    from cryptography.hazmat.primitives import hashes

    der = ONE.key.sign(TRUST.signed, ec.ECDSA(hashes.SHA256()))
    raw = format_trust(replace(TRUST, signatures={ONE.public.id: der}))
    assert base64.b64encode(der) in raw

    found = parse_trust(raw, "trust.json")

    assert found.signers(found.keys) == {ONE.public.id}
