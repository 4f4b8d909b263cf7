# SPDX-License-Identifier: Apache-2.0
"""`doctor`: find what is wrong with a disk image."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from ota_artifact.image.roles import RULE
from ota_artifact.names import printable
from ota_board.load import board_folders, find_board, load_board

_EXAMPLE = """\
examples:
  ota-image doctor my.sdimg --board qemu-arm64
  ota-image doctor my.sdimg --board qemu-arm64 --artifact my.mender
  ota-image doctor --booted /dev/sdb --board raspberrypi3 --json
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `doctor`."""
    parser = sub.add_parser(
        "doctor",
        help="find what is wrong with a disk image",
        description="Looks for every hazard that an image can show, and names the cause and the"
        " remedy of each; also tells what arms the watchdog. Exit code 0: no hazard, or warnings"
        " only; 2: errors."
        f" {RULE}",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", help="a disk image, or a device")
    parser.add_argument(
        "--board",
        help="the board that it is for: a name, or a path with a '/' to its folder (default: only"
        " check what the image itself says)",
    )
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    parser.add_argument(
        "--booted", action="store_true", help="it has run on a device, so it is not a factory image"
    )
    parser.add_argument("--artifact", metavar="FILE", help="also check an update for it")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _run(args: argparse.Namespace) -> int:
    # Late: each command pays only for what it uses, at every start.
    from ota_image.doctor.examine import diagnose
    from ota_image.doctor.watchdog import sentence

    board = None
    if args.board:
        board = load_board(find_board(args.board, list(board_folders(args.boards))))
    artifact = Path(args.artifact) if args.artifact else None
    path = Path(args.file)
    found = diagnose(path, board, is_booted=args.booted, artifact=artifact)
    for note in found.notes:
        print(f"ota-image: not looked at: {printable(note)}", file=sys.stderr)
    if args.json:
        findings = [asdict(each) for each in found.findings]
        watchdog = {**asdict(found.cover), "gap": found.cover.gap}
        print(
            json.dumps({"findings": findings, "watchdog": watchdog, "notes": found.notes}, indent=1)
        )
    else:
        for each in found.findings:
            print(each)
        if not found.findings:
            print(f"{path}: no hazard found")
        print(sentence(found.cover))
    return 2 if any(each.severity == "error" for each in found.findings) else 0
