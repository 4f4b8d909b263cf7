# SPDX-License-Identifier: Apache-2.0
"""The command `python -m bench.image`: measures, and prints the tables."""

import argparse
import datetime
import os
import sys
import tempfile
from pathlib import Path

from bench.image import build, compose, page
from ota_artifact.errors import ProgramError
from ota_hil.errors import HilError

_PAGE = Path(__file__).parents[2] / "docs/reference/bench-image.md"
_COMMAND = "python -m bench.image"

DONE, MISSED, FAILED, INTERRUPTED = 0, 1, 3, 130
"""Exit codes: measured; a target was missed (--check); a program or the disk failed; Ctrl-C."""


def main(words: list[str] | None = None) -> int:
    """Measure as the arguments say; gives the exit code."""
    args = _parser().parse_args(words)
    try:
        with tempfile.TemporaryDirectory(prefix="ota-bench-", dir=args.folder) as name:
            return _measure(args, Path(name))
    except (ProgramError, HilError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED


def _measure(args: argparse.Namespace, folder: Path) -> int:
    load = os.getloadavg()[0]
    machine = page.facts(load)
    _say("compose")
    rows = compose.rows(folder, rounds=args.rounds)
    _say("build, with a cache")
    built = build.build_cached(folder, rounds=args.rounds)
    _say("power-on to userspace")
    userspace = build.power_on_to_userspace(folder, rounds=args.rounds)
    if args.cold:
        _say("build, with an empty cache")
    cold = build.build_cold(folder) if args.cold else None
    found = [*compose.targets(rows), *build.targets(built, userspace, cold)]
    samples = [(row.name, row.cost) for row in rows]
    samples.append(("ota-image build, with a cache", built))
    samples += [("ota-image build, empty cache", cold)] if cold else []
    targets, results = page.verdicts(found), page.costs(samples)
    print(targets, results, machine, sep="\n", end="")
    if args.write:
        text = page.page(
            targets=targets,
            results=results,
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
        description="Measure ota-image: compose and genimage, the build of a board, its boot in"
        " QEMU. Use a quiet machine.",
        epilog=f"example: {_COMMAND} --rounds 3",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="runs of each, in turn (default: 5)"
    )
    parser.add_argument(
        "--cold",
        action="store_true",
        help="also build once with an empty cache; takes minutes and a network",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="work there (default: for temporary files)"
    )
    parser.add_argument(
        "--write", action="store_true", help="also write docs/reference/bench-image.md"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if a target is not reached"
    )
    return parser


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
