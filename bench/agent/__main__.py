# SPDX-License-Identifier: Apache-2.0
"""The command `python -m bench.agent`: measures, and prints the tables."""

import argparse
import dataclasses
import datetime
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.agent import daemon, page
from bench.agent.device import Device, device
from bench.agent.install import installs, make_release
from bench.agent.servers import watched_server
from bench.agent.stand import stand
from bench.artifact.image import cache_folder, rootfs
from ota_artifact.errors import ProgramError
from ota_artifact.image.workplace import find_program
from ota_image.errors import ImageError

_PAGE = Path(__file__).parents[2] / "docs/reference/bench-agent.md"
_COMMAND = "python -m bench.agent"
_INSIDE = "--in-a-namespace"

DONE, MISSED, FAILED, INTERRUPTED = 0, 1, 3, 130
"""Exit codes: measured; a target was missed (--check); a program or the disk failed; Ctrl-C."""


def main(words: list[str] | None = None) -> int:
    """Measure as the arguments say; gives the exit code."""
    given = sys.argv[1:] if words is None else words
    args = _parser().parse_args(given)
    try:
        if not args.in_a_namespace:
            _enter(given)
        return _measure(args, [each for each in given if each != _INSIDE])
    except (ProgramError, ImageError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED


def _enter(words: Sequence[str]) -> None:
    """Run again in a mount namespace of our own: its mounts end with us, whatever ends us."""
    if os.geteuid():
        raise ProgramError("slots are loop devices, and that needs root: call it with sudo")
    program = find_program("unshare", package="util-linux")
    again = (sys.executable, "-m", "bench.agent", _INSIDE, *words)
    os.execv(program, (program, "--mount", "--propagation", "private", *again))  # noqa: S606


def _measure(args: argparse.Namespace, words: Sequence[str]) -> int:
    load = os.getloadavg()[0]
    image, made = args.image or rootfs(_say, suite=args.suite), device(_say, args.suite)
    folder = args.folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=folder) as name:
        found = _results(args, made, image, Path(name))
    machine = page.facts(made.versions, image, load)
    if args.json:
        print(json.dumps(dataclasses.asdict(found)))
    else:
        tables = (page.verdicts(found), page.installs(found), page.daemons(found), machine)
        print(*tables, sep="\n", end="")
    if args.write:
        text = page.page(
            found,
            machine=machine,
            command=" ".join((_COMMAND, *words)),
            rounds=args.rounds,
            seconds=args.idle,
            date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        )
        _PAGE.write_text(text, encoding="utf-8")
        _say(f"wrote {_PAGE}")
    is_missed = not all(each.is_reached for each in page.targets(found))
    return MISSED if args.check and is_missed else DONE


def _results(args: argparse.Namespace, made: Device, image: Path, folder: Path) -> page.Measured:
    release = make_release(image, folder)
    with stand(made.image, folder) as place:
        costs = dict(installs(place, release, rounds=args.rounds, say=_say))
        with watched_server(folder) as server:
            daemon.prepare(place, server, folder, interval=args.idle / daemon.POLLS)
            starts = daemon.start_times(place, server, folder, rounds=args.rounds, say=_say)
            idle = daemon.idle(place, server, folder, seconds=args.idle, say=_say)
    return page.Measured(costs, idle, starts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND,
        description=(
            "Compare ota-agent with Debian's mender-client: an install, the idle daemon, its"
            " start. Needs root, for loop devices. Use a quiet machine."
        ),
        epilog=f"example: {_COMMAND} --rounds 3 --idle 60",
    )
    parser.add_argument(
        "--rounds", type=_count, default=5, metavar="N", help="runs of each, in turn (default: 5)"
    )
    parser.add_argument(
        "--idle",
        type=_count,
        default=60,
        metavar="SECONDS",
        help=f"watch the idle daemons for so long; they poll {daemon.POLLS} times (default: 60)",
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="install this one instead")
    parser.add_argument("--suite", default="", help="Debian's (default: the image's, this one)")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="keep the slots there (default: the cache)"
    )
    parser.add_argument("--json", action="store_true", help="print the results in JSON: s and B")
    parser.add_argument(
        "--write", action="store_true", help="also write docs/reference/bench-agent.md"
    )
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if a target is not reached"
    )
    parser.add_argument(_INSIDE, action="store_true", help=argparse.SUPPRESS)
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
