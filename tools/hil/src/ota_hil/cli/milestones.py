# SPDX-License-Identifier: Apache-2.0
"""`milestones`: read a console log that a user saved, and say how the board started."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ota_board.errors import BoardError
from ota_board.hil import Hil
from ota_board.load import board_folders, find_board, load_board
from ota_board.load_hil import FILE, load_hil
from ota_hil.saved_log import Heard, lines_of
from ota_hil.starts import MOST_STARTS, Finding, Start, expected, findings, starts_of

_SHOWN = 100  # characters of a line of the console

_EXAMPLE = """\
examples:
  ota-hil milestones beaglebone-black boot.log
  ota-hil milestones --boards . mine < boot.log

exit codes: 0 each start is good, 2 one is not
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `milestones`."""
    parser = sub.add_parser(
        "milestones",
        help="say how a board started, by a console log that you saved",
        description="Reads a console log: which lines of a good start came in each start of the"
        " board, which did not, and which lines came that no good start has, with what they mean."
        " Times are judged if the log has them, as with `tio --timestamp`.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("board", help="its name, or a path with a '/' to its folder")
    parser.add_argument(
        "log", nargs="?", default="-", help="the file (default: -, the standard input)"
    )
    parser.add_argument("--boards", metavar="DIR", help="look for boards here first")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _run(args: argparse.Namespace) -> int:
    folder = find_board(args.board, list(board_folders(args.boards)))
    board = load_board(folder)
    hil = load_hil(folder, board.bootloader.kind)
    if hil is None:
        raise BoardError(f"{folder}: has no {FILE}, which says what a good start prints; add one")
    if args.log == "-":
        starts = starts_of(lines_of(sys.stdin.buffer), hil)
    else:
        with Path(args.log).open("rb") as log:
            starts = starts_of(lines_of(log), hil)
    wrong = [findings(start, hil) for start in starts]
    if args.json:
        print(json.dumps(_as_json(board.name, starts, wrong), indent=2))
    else:
        for number, (start, found) in enumerate(zip(starts, wrong, strict=True), 1):
            print("\n".join(_lines(number, start, found, hil)))
    if len(starts) >= MOST_STARTS:
        print(f"ota-hil: only the first {MOST_STARTS} starts were read", file=sys.stderr)
    return 2 if any(wrong) else 0


def _lines(number: int, start: Start, found: list[Finding], hil: Hil) -> Iterator[str]:
    came = sum(each.name in start.came for each in hil.required)
    verdict = f"{len(found)} finding{'s'[: len(found) > 1]}" if found else "good"
    milestones = f"{came} of {len(hil.required)} milestones"
    yield f"start {number}, from line {start.number}: {milestones}, {verdict}"
    for each in hil.milestones:
        if heard := start.came.get(each.name):
            yield f"  {each.name:<14} line {heard.number:<6} {_shown(heard)}"
        elif not each.only:
            yield f"  {each.name:<14} missing     {expected(each)}"
    missing = [each for each in found if each.kind == "missing"]
    for finding in found:
        if finding not in missing[1:]:  # what comes after one that is missing is missing too
            yield f"  {_title(finding)}"
            yield from (f"      {text}" for text in (finding.means, finding.remedy) if text)


def _title(finding: Finding) -> str:
    if finding.heard is None:
        return f"{finding.name} did not come"
    if finding.kind == "death":
        return f"line {finding.heard.number}: {_shown(finding.heard)}"
    return f"{finding.name} is {finding.kind}, line {finding.heard.number}"


def _shown(heard: Heard) -> str:
    text = heard.text.strip()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _as_json(board: str, starts: list[Start], wrong: list[list[Finding]]) -> dict[str, Any]:
    return {
        "board": board,
        "is_good": not any(wrong),
        "starts": [
            {
                "line": start.number,
                "milestones": {name: asdict(heard) for name, heard in start.came.items()},
                "findings": [asdict(each) for each in found],
            }
            for start, found in zip(starts, wrong, strict=True)
        ],
    }
