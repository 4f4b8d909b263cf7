# SPDX-License-Identifier: Apache-2.0
"""The command `python -m bench.artifact`: measures, and prints the tables."""

import argparse
import dataclasses
import datetime
import json
import sys
import tempfile
from pathlib import Path

from bench.artifact import page
from bench.artifact.cases import THEIRS, Programs, cases, compare, our_program, prepare
from bench.artifact.image import cache_folder, program, rootfs
from bench.artifact.targets import Result, findings
from ota_artifact.errors import ProgramError
from ota_artifact.run import run

_PAGE = Path(__file__).parents[2] / "docs/reference/bench-artifact.md"
_COMMAND = "python -m bench.artifact"

DONE, MISSED, FAILED, INTERRUPTED = 0, 1, 3, 130
"""Exit codes: measured; a target was missed (--check); a program or the disk failed; Ctrl-C."""


def main(words: list[str] | None = None) -> int:
    """Measure as the arguments say; gives the exit code."""
    args = _parser().parse_args(words)
    try:
        return _measure(args)
    except (ProgramError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED


def _measure(args: argparse.Namespace) -> int:
    programs = Programs(str(our_program()), program(THEIRS, package=THEIRS))
    peer = run((programs.theirs, "--version"), timeout=60).decode().split()[-1]
    image = args.image or rootfs(_say, suite=args.suite)
    folder = args.folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=folder) as name:
        work = Path(name)
        _say("one run of each, not measured")
        prepare(image, work, programs)
        for case in cases(image, work, is_quick=args.quick):
            results[case.name] = compare(case, programs, rounds=args.rounds, image=image, say=_say)
    found = list(findings(results))
    targets, costs = page.verdicts(found), page.costs(results)
    machine = page.facts(peer, image)
    if args.json:
        print(json.dumps({name: dataclasses.asdict(each) for name, each in results.items()}))
    else:
        print(targets, costs, machine, sep="\n", end="")
    if args.write:
        text = page.page(
            results=costs,
            targets=targets,
            machine=machine,
            command=" ".join((_COMMAND, *sys.argv[1:])),
            rounds=args.rounds,
            date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        )
        _PAGE.write_text(text, encoding="utf-8")
        _say(f"wrote {_PAGE}")
    is_missed = not all(each.is_reached for each in found)
    return MISSED if args.check and is_missed else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description=(
            "Compare ota-artifact with mender-artifact: CPU, time, memory, size. The first run"
            " makes a root filesystem of Debian packages, and keeps it. Use a quiet machine."
        ),
        epilog=f"example: {_COMMAND} --quick --rounds 3",
    )
    parser.add_argument(
        "--rounds", type=_count, default=5, metavar="N", help="runs of each, in turn (default: 5)"
    )
    parser.add_argument("--quick", action="store_true", help="leave out xz, which takes minutes")
    parser.add_argument("--image", type=Path, metavar="FILE", help="measure on this image instead")
    parser.add_argument("--suite", default="", help="Debian's, for the image (default: this one)")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="write artifacts there (default: the cache)"
    )
    parser.add_argument("--json", action="store_true", help="print the medians in JSON: s and B")
    parser.add_argument(
        "--write", action="store_true", help="also write docs/reference/bench-artifact.md"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if a target is not reached"
    )
    return parser


def _count(text: str) -> int:
    count = int(text) if text.isdecimal() else 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return count


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
