# SPDX-License-Identifier: Apache-2.0
"""`write`: write an artifact: of a root filesystem, for an update module, or without a payload."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.header_options import (
    add_identity,
    add_payload_relations,
    add_relations,
    add_scripts,
    add_security_version,
    add_software,
    clears_of,
    compatible_types,
    key_values,
    meta_data_of,
    provides_of,
    refuse_in_version_2,
    scripts_of,
    security_provides_of,
    size_limit,
    warn,
)
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.progress import progress
from ota_artifact.cli.signing import add_signing, signer_of
from ota_artifact.cli.streams import created, refuse_inputs
from ota_artifact.compressors import COMPRESSIONS, DEFAULT, Compression, compression
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.keys import Signer
from ota_artifact.provides import CHECKSUMS, ROOTFS
from ota_artifact.spec import ArtifactSpec, PayloadSpec, file_source
from ota_artifact.writer import write_artifact

_ROOTFS_EXAMPLE = """\
examples:
  ota-artifact write rootfs-image -c qemu-arm64 -n v2 -f rootfs.ext4 -o v2.mender
  ota-artifact write rootfs-image -c rpi3 -c rpi4 -n v2 -f rootfs.ext4 -k private.pem -o v2.mender
  ota-artifact write rootfs-image -c qemu-arm64 -n golden -f ssh://root@board:22 -o golden.mender
"""

_MODULE_EXAMPLE = """\
example:
  ota-artifact write module-image -T single-file -c rpi3 -n app-2 -f app -m meta.json -o app.mender
"""

_BOOTSTRAP_EXAMPLE = """\
example:
  ota-artifact write bootstrap-artifact -c rpi3 -n v1 -p rootfs-image.version:v1 -o v1.mender
"""

_AUGMENTS = ("type", "provides", "depends", "meta-data", "file")


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `write` and its sub-commands."""
    parser = sub.add_parser("write", help="write an artifact")
    parser.set_defaults(run=parser.show_help)
    kinds = parser.add_subparsers(dest="kind", metavar="kind")
    _add_rootfs(kinds)
    _add_module(kinds)
    _add_bootstrap(kinds)


def add_compression(parser: argparse.ArgumentParser, default: str = DEFAULT.name) -> None:
    """Add the option for the compression of payloads."""
    parser.add_argument(
        "--compression",
        metavar="NAME",
        help=f"one of {', '.join(COMPRESSIONS)} (default: {default})",
    )


def compression_of(args: argparse.Namespace, default: Compression = DEFAULT) -> Compression:
    """The compression of the option, which may come before or after the sub-command.

    Raises:
        ArtifactError: no compression has this name.
    """
    name = args.compression or args.global_compression
    return compression(name) if name else default


def check_artifact_name(name: str, *, is_module: bool) -> None:
    """Pass if a name has no white space; for a module's artifact, warn.

    Raises:
        Failure: it has some, and is not for a module.
    """
    if len(name.split()) > 1:
        if not is_module:
            raise Failure(f"--artifact-name: {name!r} contains white space; remove it")
        warn(f"--artifact-name: {name!r} contains white space")


def _add_rootfs(kinds: "Subparsers[Parser]") -> None:
    parser = kinds.add_parser(
        ROOTFS,
        help="from a root filesystem",
        description="Writes an artifact that replaces the root filesystem of a device.",
        epilog=_ROOTFS_EXAMPLE,
    )
    parser.set_defaults(run=_rootfs)
    parser.add_argument(
        "-f",
        "--file",
        required=True,
        help="image of the root filesystem, or ssh://[user@]host[:port], a device to copy it from",
    )
    _add_common(parser, "2 or 3")
    add_scripts(parser)
    parser.add_argument(
        "--no-checksum-provide",
        action="store_true",
        help="do not provide rootfs-image.checksum, for clients before Mender 2.5",
    )
    parser.add_argument(
        "--legacy-rootfs-image-checksum",
        action="store_true",
        help="call it rootfs_image_checksum",
    )
    parser.add_argument(
        "-m", "--meta-data", metavar="FILE", help="a JSON object, such as `ota-image needs` prints"
    )
    add_software(parser)
    snapshot = parser.add_argument_group("copying from a device")
    snapshot.add_argument(
        "-S",
        "--ssh-args",
        action="append",
        default=[],
        metavar="ARGUMENT",
        help="argument for ssh; repeat for several",
    )
    snapshot.add_argument("--tmp", metavar="DIR", help="folder for the copy (default: $TMPDIR)")


def _add_module(kinds: "Subparsers[Parser]") -> None:
    parser = kinds.add_parser(
        "module-image",
        help="from files for an update module",
        description="Writes an artifact that an update module on the device installs.",
        epilog=_MODULE_EXAMPLE,
    )
    parser.set_defaults(run=_module)
    parser.add_argument(
        "-T", "--type", required=True, help="payload type, which is the update module's name"
    )
    parser.add_argument(
        "-f",
        "--file",
        action="append",
        default=[],
        help="file of the payload; repeat for several",
    )
    parser.add_argument("-m", "--meta-data", metavar="FILE", help="a JSON object for the module")
    _add_common(parser)
    add_scripts(parser)
    add_software(parser)
    for name in _AUGMENTS:
        parser.add_argument(f"--augment-{name}", action="append", help=argparse.SUPPRESS)


def _add_bootstrap(kinds: "Subparsers[Parser]") -> None:
    parser = kinds.add_parser(
        "bootstrap-artifact",
        help="without a payload",
        description="Writes an artifact that tells a new device what it already runs.",
        epilog=_BOOTSTRAP_EXAMPLE,
    )
    parser.set_defaults(run=_bootstrap)
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser, versions: str = "only 3 here") -> None:
    add_identity(parser)
    parser.add_argument(
        "-o",
        "--output-path",
        default="artifact.mender",
        metavar="FILE",
        help="output file, - for stdout (default: %(default)s)",
    )
    parser.add_argument(
        "-v",
        "--version",
        type=int,
        default=3,
        metavar="N",
        help=f"format version, {versions} (default: %(default)s)",
    )
    add_compression(parser)
    parser.add_argument("--no-progress", action="store_true", help="do not show a progress bar")
    parser.add_argument(
        "--max-artifact-size",
        metavar="SIZE",
        help="fail and write nothing above this size: 5MB, 1.5GB",
    )
    parser.add_argument(
        "--warn-artifact-size", metavar="SIZE", help="warn above this size: 5MB, 1.5GB"
    )
    add_relations(parser)
    add_payload_relations(parser)
    add_security_version(parser)
    add_signing(parser)


def _rootfs(args: argparse.Namespace) -> int:
    _check_version(args)
    check_artifact_name(args.artifact_name, is_module=False)
    order = _order(args, scripts_of(args.script))
    if args.version == 2:
        refuse_in_version_2(args)
        header, checksum = PayloadHeader(type=ROOTFS), None
    else:
        depends = key_values("--depends", args.depends)
        header = PayloadHeader(
            type=ROOTFS,
            provides=provides_of(args),
            depends=depends,
            clears=clears_of(args),
            meta_data=meta_data_of(args.meta_data) if args.meta_data else b"",
        )
        checksum = CHECKSUMS[1 if args.legacy_rootfs_image_checksum else 0]
    if args.no_checksum_provide:
        checksum = None
    with _payload_file(args) as (path, found):
        if args.version == 3:
            provides = {**found, **header.provides}
            if checksum:
                provides.pop(checksum, None)  # the computed value is always better than a given one
            header = replace(header, provides=provides)
        return _write(args, order, PayloadSpec(header, (file_source(path),), checksum))


def _module(args: argparse.Namespace) -> int:
    for name in _AUGMENTS:
        if getattr(args, f"augment_{name.replace('-', '_')}"):
            raise Failure(
                f"--augment-{name}: not supported: no signature covers augmented artifacts",
                Exit.FEATURE,
            )
    _check_version(args)
    if args.version == 2:
        raise Failure("--version: module images need format version 3")
    check_artifact_name(args.artifact_name, is_module=True)
    payload = PayloadSpec(
        PayloadHeader(
            type=args.type,
            provides=provides_of(args, args.type),
            depends=key_values("--depends", args.depends),
            clears=clears_of(args, args.type),
            meta_data=meta_data_of(args.meta_data) if args.meta_data else b"",
        ),
        tuple(file_source(Path(each)) for each in args.file),
    )
    return _write(args, _order(args, scripts_of(args.script)), payload)


def _bootstrap(args: argparse.Namespace) -> int:
    _check_version(args)
    if args.version == 2:
        raise Failure("--version: bootstrap artifacts need format version 3")
    check_artifact_name(args.artifact_name, is_module=False)
    payload = PayloadSpec(
        PayloadHeader(
            type=None,
            provides=security_provides_of(args) | key_values("--provides", args.provides),
            depends=key_values("--depends", args.depends),
            clears=tuple(args.clears_provides),
        )
    )
    return _write(args, _order(args), payload)


def _check_version(args: argparse.Namespace) -> None:
    if args.version not in {2, 3}:
        raise Failure(f"--version: {args.version} is not supported; use 2 or 3", Exit.VERSION)


@contextmanager
def _payload_file(args: argparse.Namespace) -> Iterator[tuple[Path, dict[str, str]]]:
    """The image of the root filesystem, and what the device that it was copied from provides."""
    if not args.file.startswith("ssh://"):
        yield Path(args.file), {}
        return
    with tempfile.TemporaryDirectory(prefix="ota-snapshot-") as folder:
        image = Path(folder) / "rootfs.img"
        from ota_artifact.snapshot import take_snapshot

        with progress("copying from the device", is_wanted=not args.no_progress) as tell:
            provides = take_snapshot(
                args.file,
                image,
                ssh_args=args.ssh_args,
                progress=tell,
                show=_show if sys.stdin.isatty() else None,
            )
        yield image, provides


def _show(said: bytes) -> None:
    """Show what the device prints, such as sudo's prompt."""
    sys.stderr.write(said.decode("utf-8", "replace").replace("\r", ""))
    sys.stderr.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What the options say about the whole artifact, checked before any work begins.

    Attributes:
        header: without its payloads.
        compression: of the header and the payload.
        signer: None for an unsigned artifact.
        maximum: above this size, nothing is written [B].
        enough: above this size, there is a warning [B].
    """

    header: Header
    compression: Compression
    signer: Signer | None
    maximum: int | None
    enough: int | None


def _order(args: argparse.Namespace, scripts: tuple[Script, ...] = ()) -> _Order:
    maximum = size_limit("--max-artifact-size", args.max_artifact_size)
    enough = size_limit("--warn-artifact-size", args.warn_artifact_size)
    if args.output_path == "-" and (maximum is not None or enough is not None):
        warn("--max-artifact-size, --warn-artifact-size: do not apply to stdout")
        maximum = enough = None
    files = getattr(args, "file", None) or []
    inputs = [files] if isinstance(files, str) else files
    others = (args.key, args.verify_key, getattr(args, "meta_data", None))
    refuse_inputs(args.output_path, [*inputs, *others, *getattr(args, "script", ())])
    header = Header(
        version=args.version,
        artifact_name=args.artifact_name,
        compatible_types=compatible_types(args),
        payloads=(),
        scripts=scripts,
        artifact_group=args.provides_group,
        depends_names=tuple(args.artifact_name_depends or ()),
        depends_groups=tuple(args.depends_groups or ()),
    )
    return _Order(
        header=header,
        compression=compression_of(args),
        signer=signer_of(args),
        maximum=maximum,
        enough=enough,
    )


def _write(args: argparse.Namespace, order: _Order, payload: PayloadSpec) -> int:
    bar = progress("writing", is_wanted=not args.no_progress)
    with created(args.output_path) as output, bar as tell:
        write_artifact(
            output,
            ArtifactSpec(order.header, (payload,)),
            compression=order.compression,
            signer=order.signer,
            progress=tell,
        )
        size = os.fstat(output.fileno()).st_size
        if order.maximum is not None and size > order.maximum:
            raise Failure(
                f"{args.output_path}: would be {size} B, more than --max-artifact-size"
                f" {args.max_artifact_size}; nothing was written",
                Exit.CREATE,
            )
    if order.enough is not None and size > order.enough:
        warn(
            f"{args.output_path}: is {size} B, more than --warn-artifact-size"
            f" {args.warn_artifact_size}"
        )
    return Exit.DONE
