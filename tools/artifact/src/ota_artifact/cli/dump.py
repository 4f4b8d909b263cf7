# SPDX-License-Identifier: Apache-2.0
"""`dump`: unpack an artifact, and print the command line that rebuilds it."""

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ota_artifact.cli.failure import Exit, Failure
from ota_artifact.cli.parser import Parser, Subparsers
from ota_artifact.cli.progress import progress
from ota_artifact.cli.streams import counted, named, opened
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.names import shown
from ota_artifact.provides import ROOTFS
from ota_artifact.reader import Artifact, open_artifact

_EXAMPLE = """\
example:
  ota-artifact dump v2.mender --files files --scripts scripts --meta-data meta --print-cmdline
"""


def add_parser(sub: "Subparsers[Parser]") -> None:
    """Add `dump`."""
    parser = sub.add_parser(
        "dump",
        help="unpack an artifact's parts",
        description="Unpacks the files, scripts and meta-data of an artifact, and prints the"
        " command line that rebuilds it from them. Existing files are not overwritten.",
        epilog=_EXAMPLE,
    )
    parser.set_defaults(run=_run, invalid=Exit.INVALID)
    parser.add_argument("artifact", help="a file, or - for stdin")
    parser.add_argument("--files", metavar="DIR", help="unpack the payload's files there")
    parser.add_argument("--scripts", metavar="DIR", help="unpack the state scripts there")
    parser.add_argument(
        "--meta-data", metavar="DIR", help="unpack the meta-data there, as 0000.meta-data"
    )
    parser.add_argument("--no-progress", action="store_true", help="do not show a progress bar")
    printing = parser.add_mutually_exclusive_group()
    printing.add_argument(
        "--print-cmdline",
        action="store_true",
        help="print the arguments that rebuild it, quoted where they contain white space",
    )
    printing.add_argument(
        "--print0-cmdline", action="store_true", help="the same, each followed by NUL, for xargs -0"
    )


def _run(args: argparse.Namespace) -> int:
    bar = progress("unpacking", is_wanted=not args.no_progress)
    with opened(args.artifact) as file, bar as tell:
        artifact = open_artifact(counted(file, tell))
        count = len(artifact.header.payloads)
        if count != 1:
            raise Failure(
                f"{args.artifact}: has {count} payloads; dump accepts only artifacts with one",
                Exit.FEATURE,
            )
        is_printing = args.print_cmdline or args.print0_cmdline
        words = [*_command_line(artifact.header)] if is_printing else []
        files = _files(artifact, args.files)  # first: a damaged artifact leaves nothing behind
        words += _scripts(artifact.header, args.scripts)
        words += _meta_data(artifact.header.payloads[0], args.meta_data)
        words += files
    if args.print_cmdline:
        print(" ".join(map(_quoted, words)))
    elif args.print0_cmdline:
        sys.stdout.buffer.write("".join(f"{word}\0" for word in words).encode())
    return Exit.DONE


def _quoted(word: str) -> str:
    """The word as mender-artifact prints it, unless white space or a quote would split it.

    So ``*`` stays bare: there are scripts that split the line themselves, or leave that to
    ``$(…)``, and to them a quote is part of the word.
    """
    return word if re.fullmatch(r"[\w@%+=:,./*-]+", word) else shlex.quote(word)


def _scripts(header: Header, folder: str | None) -> Iterator[str]:
    if folder:
        for script in header.scripts:
            yield "--script"
            yield _write(folder, script.name, (script.content,), 0o755)


def _meta_data(payload: PayloadHeader, folder: str | None) -> Iterator[str]:
    if folder and payload.meta_data and json.loads(payload.meta_data):
        yield "--meta-data"
        yield _write(folder, "0000.meta-data", (payload.meta_data, b"\n"), 0o644)


def _files(artifact: Artifact, folder: str | None) -> list[str]:
    """Read the payload to its end to check it, even if its files are not wanted."""
    words = []
    for payload in artifact.payloads():
        for file in payload.files():
            if folder:
                words += ["--file", _write(folder, file.name, file.chunks(), 0o644)]
    return words


def _write(folder: str, name: str, chunks: Iterable[bytes], mode: int) -> str:
    """Write a new file, whole or not at all; gives its path."""
    path = Path(folder) / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise Failure(f"{path}: cannot be created: {error.strerror}", Exit.SYSTEM) from error
    try:
        with named(str(path)), os.fdopen(descriptor, "wb") as output:
            output.writelines(chunks)
    except BaseException:
        path.unlink()
        raise
    return str(path)


def _command_line(header: Header) -> Iterator[str]:
    """The arguments that rebuild the header.

    In version 3, rootfs-image is a module type like any other.

    Raises:
        Failure: something in it has no option.
    """
    payload = header.payloads[0]
    if header.version == 2:
        yield from ("write", ROOTFS, "--version", "2")
        yield from ("--artifact-name", header.artifact_name)
        yield from _each("--compatible-types", header.compatible_types)
        return
    yield from ("write", "bootstrap-artifact" if payload.type is None else "module-image")
    yield from ("--artifact-name", header.artifact_name)
    if header.artifact_group:
        yield from ("--provides-group", header.artifact_group)
    yield from _each("--artifact-name-depends", header.depends_names)
    yield from _each("--compatible-types", header.compatible_types)
    yield from _each("--depends-groups", header.depends_groups)
    if payload.type is not None:
        yield from ("--type", payload.type, "--no-default-software-version")
    yield from _each("--provides", (f"{key}:{value}" for key, value in payload.provides.items()))
    for key, wanted in payload.depends.items():
        if not isinstance(wanted, str):
            raise Failure(
                f"depends: {shown(key)} has a list of alternatives, for which `write` has no"
                " option; leave out --print-cmdline",
                Exit.FEATURE,
            )
        yield from ("--depends", f"{key}:{wanted}")
    if payload.type is not None:
        yield "--no-default-clears-provides"
    yield from _each("--clears-provides", payload.clears)


def _each(option: str, values: Iterable[str]) -> Iterator[str]:
    for value in values:
        yield from (option, value)
