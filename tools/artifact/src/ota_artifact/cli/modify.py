# SPDX-License-Identifier: Apache-2.0
"""`modify`: change an artifact's header, and Mender's files in its image."""

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.header_options import (
    add_payload_relations,
    add_relations,
    add_scripts,
    add_security_version,
    key_values,
    meta_data_of,
    refuse_in_version_2,
    scripts_of,
    security_provides_of,
    warn,
)
from ota_artifact.cli.inside import warn_unsigned
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.progress import progress
from ota_artifact.cli.signing import add_signing, signer_of
from ota_artifact.cli.write import add_compression, check_artifact_name, compression_of
from ota_artifact.draft import Draft, changing
from ota_artifact.header import PayloadHeader
from ota_artifact.image.disk import Image, edit
from ota_artifact.image.roles import RULE
from ota_artifact.json_text import parse_object
from ota_artifact.provides import ROOTFS, Software
from ota_artifact.security_version import security_keys
from ota_artifact.tar import is_tar

_EXAMPLE = """\
examples:
  ota-artifact modify v2.mender -n v2-qa -k private.pem
  ota-artifact modify v2.mender -u https://fleet.example.com -c server.crt
  ota-artifact modify board.sdimg -n v1
"""

_FOLDER = "/etc/mender"
_CONFIGURATION = f"{_FOLDER}/mender.conf"
_CONFIGURATION_LIMIT = 1 << 20  # [B]
_ARTIFACT_ONLY = (
    "artifact_name_depends",
    "provides_group",
    "depends_groups",
    "script",
    "provides",
    "security_version",
    "lower_security_floor",
    "depends",
    "meta_data",
    "clears_provides",
    "delete_clears_provides",
    "compression",
)


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `modify`."""
    parser = sub.add_parser(
        "modify",
        help="change the header of an artifact, or Mender's files in an image",
        description="Changes an artifact: its name and relations, and Mender's own files in its"
        " root filesystem; or those files in a disk or filesystem image that has /etc. Everything"
        " else stays. -N, -G, -p, -d and -m replace the old values, -s and --clears-provides add to"
        " them; a security version stays unless an option names another. Without a key the"
        " signature is dropped, with a warning. If anything fails, the file stays as it was."
        f" {RULE}",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", help="an artifact (*.mender) or an image (*.sdimg, *.ext4)")
    parser.add_argument("-n", "--artifact-name", metavar="NAME", help="new name")
    parser.add_argument("--name", dest="artifact_name", help=argparse.SUPPRESS)
    add_relations(parser)
    add_scripts(parser)
    add_payload_relations(parser)
    add_security_version(parser)
    parser.add_argument(
        "--delete-clears-provides",
        action="append",
        default=[],
        metavar="PATTERN",
        help="stop clearing this; repeat for several",
    )
    parser.add_argument("-m", "--meta-data", metavar="FILE", help="new meta-data, a JSON object")
    add_compression(parser, default="unchanged")
    parser.add_argument(
        "--tmp", metavar="DIR", help="folder for temporary files (default: $TMPDIR)"
    )
    parser.add_argument("--no-progress", action="store_true", help="do not show a progress bar")
    group = parser.add_argument_group("files in the image")
    group.add_argument("-u", "--server-uri", metavar="URL", help="ServerURL of mender.conf")
    group.add_argument("-t", "--tenant-token", metavar="TOKEN", help="TenantToken of mender.conf")
    group.add_argument("-c", "--server-cert", metavar="FILE", help=f"{_FOLDER}/server.crt")
    group.add_argument(
        "-v", "--verification-key", metavar="FILE", help=f"{_FOLDER}/artifact-verify-key.pem"
    )
    add_signing(parser)


def _run(args: argparse.Namespace) -> int:
    path = Path(args.file)
    if not path.is_file():
        raise Failure(f"{path}: no such file")
    for file in filter(None, (args.server_cert, args.verification_key)):
        if not Path(file).is_file():
            raise Failure(f"{file}: no such file")
    signer = signer_of(args)
    if args.artifact_name is not None and not args.artifact_name.strip():
        raise Failure("--artifact-name: is empty; give it a value")
    if not _asks_for_anything(args) and not signer:
        warn(f"{path}: nothing to change")
        return Exit.DONE
    if not is_tar(path):
        for option in _ARTIFACT_ONLY:
            if getattr(args, option):
                raise Failure(f"--{option.replace('_', '-')}: {path} is an image, not an artifact")
        if signer:
            raise Failure(f"{path}: is not an artifact; only artifacts are signed")
        with edit(path) as image:
            _change_files(image, args)
        return Exit.DONE
    how = compression_of(args) if args.compression or args.global_compression else None
    with ExitStack() as stack:
        tell = stack.enter_context(progress("writing", is_wanted=not args.no_progress))
        draft = stack.enter_context(changing(path, compression=how, signer=signer, progress=tell))
        if draft.header.version == 2:
            refuse_in_version_2(args)
        _change_header(draft, args)
        _change_payload(draft, args)
        if _names_files(args) or (args.artifact_name and draft.has_image):
            _change_files(draft.image(), args)
    if draft.was_signed and not signer:
        warn_unsigned(path)
    return Exit.DONE


def _asks_for_anything(args: argparse.Namespace) -> bool:
    asked = [getattr(args, option) for option in (*_ARTIFACT_ONLY, "artifact_name")]
    is_asked = any(asked) or args.provides_group == "" or args.security_version is not None
    return is_asked or bool(args.global_compression) or _names_files(args)


def _change_header(draft: Draft, args: argparse.Namespace) -> None:
    header = draft.header
    if args.artifact_name:
        check_artifact_name(args.artifact_name, is_module=_is_module(draft))
        _rename(draft, header.artifact_name, args.artifact_name)
        header = replace(header, artifact_name=args.artifact_name)
    if args.artifact_name_depends:
        header = replace(header, depends_names=tuple(args.artifact_name_depends))
    if args.depends_groups:
        header = replace(header, depends_groups=tuple(args.depends_groups))
    if args.provides_group is not None:
        header = replace(header, artifact_group=args.provides_group or None)
    if args.script:
        header = replace(header, scripts=(*header.scripts, *scripts_of(args.script)))
    draft.header = header


def _is_module(draft: Draft) -> bool:
    return any(spec.header.type not in (None, ROOTFS) for spec in draft.payloads)


def _rename(draft: Draft, old: str, new: str) -> None:
    """Replace the old name in the versions that the payloads provide."""
    for number, spec in enumerate(draft.payloads):
        provides = {
            key: new if key.endswith(".version") and value == old else value
            for key, value in spec.header.provides.items()
        }
        draft.payloads[number] = replace(spec, header=replace(spec.header, provides=provides))


def _change_payload(draft: Draft, args: argparse.Namespace) -> None:
    if args.provides or args.security_version is not None:
        draft.payload = replace(draft.payload, provides=_provides(draft.payload, args))
    if args.depends:
        draft.payload = replace(draft.payload, depends=key_values("--depends", args.depends))
    if args.meta_data:
        draft.payload = replace(draft.payload, meta_data=meta_data_of(args.meta_data))
    if args.clears_provides or args.delete_clears_provides:
        clears = (*draft.payload.clears, *args.clears_provides)
        for pattern in args.delete_clears_provides:
            if pattern not in clears:
                warn(f"--delete-clears-provides: {pattern!r} is not cleared")
        kept = tuple(each for each in clears if each not in args.delete_clears_provides)
        draft.payload = replace(draft.payload, clears=kept)


def _provides(payload: PayloadHeader, args: argparse.Namespace) -> dict[str, str]:
    """What a payload provides from now on; its security version stays unless an option names it."""
    module = "" if payload.type in (None, ROOTFS) else str(payload.type)
    given = key_values("--provides", args.provides)
    old = security_keys(payload.provides)
    names = {key.rpartition(".")[0] for key in old}  # of its software
    folder, _, name = next(iter(names), "").partition(".")
    new = security_provides_of(args, module, Software(filesystem=folder, name=name))
    if new.keys() & given.keys():
        raise Failure("--provides: contradicts --security-version; leave one of them out")
    rest = given or {key: value for key, value in payload.provides.items() if key not in old}
    return rest | ({} if security_keys(given) else new or old)


def _names_files(args: argparse.Namespace) -> bool:
    return any((args.server_uri, args.tenant_token, args.server_cert, args.verification_key))


def _change_files(image: Image, args: argparse.Namespace) -> None:
    image.require_folder("/etc")
    image.make_directory(_FOLDER)
    with tempfile.TemporaryDirectory(prefix="ota-modify-") as folder:
        copy = Path(folder) / "file"
        if args.artifact_name:
            _rewrite(image, f"{_FOLDER}/artifact_info", copy, _named(args.artifact_name))
        if args.server_uri:
            _rewrite(image, _CONFIGURATION, copy, _configured("ServerURL", args.server_uri))
        if args.tenant_token:
            _rewrite(image, _CONFIGURATION, copy, _configured("TenantToken", args.tenant_token))
    if args.server_cert:
        image.write_file(Path(args.server_cert), f"{_FOLDER}/server.crt")
    if args.verification_key:
        image.write_file(Path(args.verification_key), f"{_FOLDER}/artifact-verify-key.pem")


def _rewrite(image: Image, path: str, copy: Path, change: Callable[[bytes], bytes]) -> None:
    old = b""
    if image.exists(path):
        image.read_file(path, copy)
        if copy.stat().st_size > _CONFIGURATION_LIMIT:
            raise Failure(f"{path}: is larger than {_CONFIGURATION_LIMIT} B; change it by hand")
        old = copy.read_bytes()
    copy.write_bytes(change(old))
    copy.chmod(0o644)
    image.write_file(copy, path)


def _named(name: str) -> Callable[[bytes], bytes]:
    """A change that sets ``artifact_name`` in artifact_info and keeps other lines."""

    def change(old: bytes) -> bytes:
        lines = [line for line in old.splitlines() if not line.startswith(b"artifact_name=")]
        return b"".join(line + b"\n" for line in (b"artifact_name=" + name.encode(), *lines))

    return change


def _configured(key: str, value: str) -> Callable[[bytes], bytes]:
    """A change that sets a key of mender.conf, which may be missing."""

    def change(old: bytes) -> bytes:
        settings = parse_object(old or b"{}", _CONFIGURATION)
        if key == "ServerURL" and settings.get("Servers"):
            warn(f"{_CONFIGURATION}: has 'Servers', which Mender's client prefers to ServerURL")
        settings[key] = value
        return json.dumps(settings, indent=2).encode() + b"\n"

    return change
