# SPDX-License-Identifier: Apache-2.0
"""`combine`: merge several artifacts into one."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.header_options import add_relations, warn
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.signing import add_signing, signer_of
from ota_artifact.cli.streams import created, opened
from ota_artifact.draft import Draft, drafted
from ota_artifact.header import Header, Script
from ota_artifact.spec import ArtifactSpec
from ota_artifact.writer import write_artifact

_EXAMPLE = """\
example:
  ota-artifact combine rootfs.mender app.mender -n release-7 -o release-7.mender
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `combine`."""
    parser = sub.add_parser(
        "combine",
        help="merge several artifacts into one",
        description="Writes an artifact with the payloads of several others, in order, and with all"
        " their state scripts. It copies the payloads unchanged and drops the signatures. The"
        " artifacts must agree on what they depend on and which group they provide, or options"
        " must say it. Mender's own client accepts only artifacts with one payload.",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("artifacts", nargs="+", metavar="artifact", help="files, two or more")
    parser.add_argument(
        "-n", "--artifact-name", required=True, metavar="NAME", help="name of the new artifact"
    )
    parser.add_argument(
        "-c",
        "--compatible-types",
        action="append",
        metavar="TYPE",
        help="device type that may install it (default: those that all artifacts have)",
    )
    parser.add_argument(
        "-o",
        "--output-path",
        default="artifact.mender",
        metavar="FILE",
        help="output file, - for stdout (default: %(default)s)",
    )
    add_relations(parser)
    add_signing(parser)


def _run(args: argparse.Namespace) -> int:
    if len(args.artifacts) < 2:
        raise Failure("artifacts: name two or more")
    for each in args.artifacts:
        with opened(each):
            pass
    signer = signer_of(args)
    with ExitStack() as stack:
        drafts = [stack.enter_context(drafted(Path(each))) for each in args.artifacts]
        header = Header(
            version=3,
            artifact_name=args.artifact_name,
            compatible_types=tuple(args.compatible_types or _common_types(drafts)),
            payloads=(),
            scripts=_scripts(drafts),
            artifact_group=_relation(args, "provides_group", "artifact_group", drafts),
            depends_names=tuple(_relation(args, "artifact_name_depends", "depends_names", drafts)),
            depends_groups=tuple(_relation(args, "depends_groups", "depends_groups", drafts)),
        )
        spec = ArtifactSpec(header, tuple(each for draft in drafts for each in draft.payloads))
        with created(args.output_path) as output:
            write_artifact(output, spec, compression=drafts[0].compression, signer=signer)
            for draft in drafts:
                draft.require_unchanged()
    warn(f"{args.output_path}: has {len(spec.payloads)} payloads; Mender's client accepts only one")
    return Exit.DONE


def _common_types(drafts: list[Draft]) -> list[str]:
    first, *others = (draft.header.compatible_types for draft in drafts)
    common = [each for each in first if all(each in types for types in others)]
    if not common:
        raise Failure("--compatible-types: the artifacts have no device type in common; name one")
    return common


def _relation(args: argparse.Namespace, option: str, name: str, drafts: list[Draft]) -> Any:
    """What the option says, or what all the artifacts say: nothing is dropped silently."""
    given = getattr(args, option)
    if given is not None:
        return given
    first, *others = (getattr(draft.header, name) for draft in drafts)
    if any(each != first for each in others):
        raise Failure(f"--{option.replace('_', '-')}: the artifacts differ; set it")
    return first


def _scripts(drafts: list[Draft]) -> tuple[Script, ...]:
    scripts: dict[str, Script] = {}
    for draft in drafts:
        for script in draft.header.scripts:
            if scripts.setdefault(script.name, script) != script:
                raise Failure(
                    f"{script.name}: two artifacts have different scripts of this name; rename one"
                )
    return tuple(scripts.values())
