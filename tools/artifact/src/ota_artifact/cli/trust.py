# SPDX-License-Identifier: Apache-2.0
"""`trust`: write, sign and show the trust file, which replaces keys on devices in the field."""

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.signing import add_signing, signer_of
from ota_artifact.cli.streams import created, refuse_inputs
from ota_artifact.compressors import compression
from ota_artifact.errors import ArtifactError
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.keys import PrivateKey, PublicKey, SignCommand, load_public_key
from ota_artifact.output import put
from ota_artifact.provides import TRUST_FILE
from ota_artifact.security_version import provides_of
from ota_artifact.spec import ArtifactSpec, FileSource, PayloadSpec
from ota_artifact.trust import (
    FILE,
    LIMIT,
    USUAL,
    TrustedKey,
    TrustFile,
    check_device_types,
    format_trust,
    parse_day,
    parse_roles,
    parse_trust,
    require_successor,
    sign,
)
from ota_artifact.writer import write_artifact

_EXAMPLE = """\
examples:
  ota-artifact trust new --add now.pem --add safe.pem -o trust.json
  ota-artifact trust change trust.json --add next.pem --revoke now.pem
  ota-artifact trust sign trust.json -k safe-private.pem
  ota-artifact trust show trust.json
  ota-artifact trust write trust.json -c beaglebone-black -k safe-private.pem -o trust.mender
"""

_ATTRIBUTE = re.compile(r"\s*,\s*(roles|device_types|expires)\s*=\s*")
_ID = re.compile(r"[0-9a-f]{16}")


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `trust` and its sub-commands."""
    parser = sub.add_parser(
        "trust",
        help="replace keys on devices in the field",
        description="Writes, signs and shows a trust file: which keys count on a device, and which"
        " never count again.",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=parser.show_help)
    kinds = parser.add_subparsers(dest="kind", metavar="kind")
    new = kinds.add_parser("new", help="write the first version", epilog=_EXAMPLE)
    new.set_defaults(run=_new)
    _add_keys(new, is_needed=True)
    new.add_argument(
        "-o", "--output-path", default="trust.json", metavar="FILE", help="(default: %(default)s)"
    )
    change = kinds.add_parser("change", help="write the next version", epilog=_EXAMPLE)
    change.set_defaults(run=_change)
    change.add_argument("file", metavar="FILE", help="the version before")
    _add_keys(change, is_needed=False)
    change.add_argument(
        "--remove", action="append", default=[], metavar="KEY", help="a key that does not count now"
    )
    change.add_argument(
        "--revoke",
        action="append",
        default=[],
        metavar="KEY",
        help="a key that never counts again; a file, or the key's id",
    )
    change.add_argument(
        "-o", "--output-path", metavar="FILE", help="(default: replace the version before)"
    )
    signing = kinds.add_parser("sign", help="add a signature", epilog=_EXAMPLE)
    signing.set_defaults(run=_sign)
    signing.add_argument("file", metavar="FILE", help="the trust file; it is replaced")
    add_signing(signing)
    write = kinds.add_parser("write", help="write an artifact that carries it", epilog=_EXAMPLE)
    write.set_defaults(run=_write_artifact)
    write.add_argument("file", metavar="FILE", help="the trust file")
    write.add_argument(
        "-c",
        "--compatible-types",
        action="append",
        required=True,
        metavar="TYPE",
        help="device type that may take it, at least one; repeat for several",
    )
    write.add_argument(
        "-n", "--artifact-name", metavar="NAME", help="(default: trust- and its version)"
    )
    write.add_argument(
        "-o", "--output-path", default="trust.mender", metavar="FILE", help="(default: %(default)s)"
    )
    add_signing(write)
    show = kinds.add_parser("show", help="print it, and who has signed it", epilog=_EXAMPLE)
    show.set_defaults(run=_show)
    show.add_argument("file", metavar="FILE", help="the trust file")
    show.add_argument(
        "--after",
        metavar="FILE",
        help="the version before: fail if a device that has it would refuse this one",
    )
    show.add_argument("--json", action="store_true", help="print JSON")


def read_trust(path: Path) -> TrustFile:
    """The trust file at a path.

    Raises:
        ArtifactError: it is not one.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return parse_trust(file.read(LIMIT + 1), str(path))


def _add_keys(parser: argparse.ArgumentParser, *, is_needed: bool) -> None:
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        required=is_needed,
        metavar="KEY",
        help="a public key in PEM, such as 'debug.pem, roles = debug, device_types = rpi3 rpi4,"
        " expires = 2030-01-31'; without roles: trust release; repeat for several",
    )
    parser.add_argument(
        "--threshold",
        type=int,
        metavar="N",
        help="how many keys with the role trust must sign a version (default: as before, or 1)",
    )


def _new(args: argparse.Namespace) -> int:
    keys = tuple(map(_parsed, args.add))
    trust = TrustFile(version=1, keys=keys, threshold=args.threshold or 1, signatures={})
    return _write(trust, args.output_path)


def _change(args: argparse.Namespace) -> int:
    old = read_trust(Path(args.file))
    gone = {_id_of(each) for each in (*args.remove, *args.revoke)}
    known = {each.public.id for each in old.keys}
    for each in map(_id_of, args.remove):
        if each not in known:
            raise Failure(f"--remove: key {each} is not in {args.file}; leave it out")
    added = tuple(map(_parsed, args.add))
    again = {each.public.id for each in added}
    kept = [each for each in old.keys if each.public.id not in gone | again]
    revoked = dict.fromkeys((*old.revoked, *map(_id_of, args.revoke)))
    new = TrustFile(
        version=old.version + 1,
        keys=(*kept, *added),
        threshold=args.threshold or old.threshold,
        revoked=tuple(revoked),
        signatures={},
    )
    return _write(new, args.output_path or args.file)


def _sign(args: argparse.Namespace) -> int:
    signer = signer_of(args)
    if signer is None:
        raise Failure("missing signing key; give --key, --sign-command or --key-pkcs11")
    trust = read_trust(Path(args.file))
    keys = [*(each.public for each in trust.keys), *_public_of(signer)]
    return _write(sign(trust, signer, keys), args.file)


def _public_of(signer: object) -> Iterator[PublicKey]:
    """The public half of a signer, as far as it is known."""
    if isinstance(signer, PrivateKey):
        yield signer.public
    elif isinstance(signer, SignCommand) and signer.check:
        yield signer.check


def _write_artifact(args: argparse.Namespace) -> int:
    signer = signer_of(args)
    if signer is None:
        raise Failure("missing signing key; give --key, --sign-command or --key-pkcs11")
    refuse_inputs(args.output_path, [args.file, args.key, args.verify_key])
    trust = read_trust(Path(args.file))
    for line in _unsigned(trust):
        raise Failure(f"{args.file}: {line}: no device would take it")
    header = Header(
        version=3,
        artifact_name=args.artifact_name or f"trust-{trust.version}",
        compatible_types=tuple(args.compatible_types),
        payloads=(),
    )
    provides = provides_of(trust.version, module=TRUST_FILE)
    payload = PayloadSpec(
        PayloadHeader(type=TRUST_FILE, provides=provides), (FileSource(FILE, Path(args.file)),)
    )
    with created(args.output_path) as output:
        spec = ArtifactSpec(header, (payload,))
        write_artifact(output, spec, compression=compression("gzip"), signer=signer)
    return Exit.DONE


def _show(args: argparse.Namespace) -> int:
    trust = read_trust(Path(args.file))
    before = read_trust(Path(args.after)) if args.after else None
    known = {each.public.id: each for each in (*(before.keys if before else ()), *trust.keys)}
    good = trust.signers(known.values())
    print("\n".join(_lines(trust, good)) if not args.json else json.dumps(_as_json(trust, good)))
    if before is not None:
        try:
            require_successor(
                trust,
                before.keys,
                threshold=before.threshold,
                version=before.version,
                place=args.file,
            )
        except ArtifactError as error:
            raise Failure(str(error), Exit.INVALID) from error
    return Exit.DONE


def _as_json(trust: TrustFile, good: frozenset[str]) -> dict[str, Any]:
    return {
        "version": trust.version,
        "threshold": trust.threshold,
        "keys": [
            {
                "id": each.public.id,
                "roles": [*each.roles],
                "device_types": [*each.device_types],
                "expires": each.expires.isoformat() if each.expires else None,
            }
            for each in trust.keys
        ],
        "revoked": [*trust.revoked],
        "signatures": {name: name in good for name in sorted(trust.signatures)},
    }


def _lines(trust: TrustFile, good: frozenset[str]) -> Iterator[str]:
    yield f"version {trust.version}, signed by {trust.threshold} or more of the keys for trust"
    for each in trust.keys:
        more = f", only on {', '.join(each.device_types)}" if each.device_types else ""
        more += f", until {each.expires}" if each.expires else ""
        yield f"  key {each.public.id}: {', '.join(each.roles)}{more}"
    for name in trust.revoked:
        yield f"  key {name}: revoked"
    for name in sorted(trust.signatures):
        yield f"  signature of key {name}: {'good' if name in good else 'not verified'}"
    if sum("trust" in each.roles for each in trust.keys) <= trust.threshold:
        yield "  warning: if one key for trust is lost, no device takes another version; add one"


def _parsed(text: str) -> TrustedKey:
    """The key that an option describes."""
    path, *parts = _ATTRIBUTE.split(text)
    found: dict[str, Any] = {}
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise Failure(f"--add: {text!r}: has {name} twice")
        if name == "roles":
            found[name] = parse_roles(value.split(), "--add: roles")
        elif name == "device_types":
            found[name] = check_device_types(value.split(), "--add: device_types")
        else:
            found[name] = day = parse_day(value.strip(), "--add: expires")
            if day < datetime.now(UTC).date():
                raise Failure(f"--add: {text!r}: has expired already; give a later day")
    return TrustedKey(public=load_public_key(Path(path.strip())), **{"roles": USUAL, **found})


def _id_of(text: str) -> str:
    """The id of a key, which is given as it is, or as the key's file."""
    return text if _ID.fullmatch(text) else load_public_key(Path(text)).id


def _write(trust: TrustFile, path: str) -> int:
    raw = format_trust(trust)
    with created(path) as output:
        put(output, raw)
    for line in _unsigned(trust):
        print(line)
    return Exit.DONE


def _unsigned(trust: TrustFile) -> Iterable[str]:
    count = len(trust.signers(trust.keys))
    if count < trust.threshold:
        left = trust.threshold - count
        yield f"version {trust.version}: {left} more of its keys for trust must sign it"
