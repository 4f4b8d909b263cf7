# SPDX-License-Identifier: Apache-2.0
"""The command `python -m bench.image`: measures, and prints the table."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.image import compose
from ota_artifact.errors import ProgramError

DONE, MISSED, FAILED = 0, 1, 3
"""Exit codes: measured; a target was missed (--check); a program or the disk failed."""


def main(words: list[str] | None = None) -> int:
    """Measure as the arguments say; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.image", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measured runs of each program")
    parser.add_argument("--check", action="store_true", help="fail if a target is missed")
    parser.add_argument("--folder", type=Path, help="where to work (default: for temporary files)")
    args = parser.parse_args(words)
    try:
        with tempfile.TemporaryDirectory(prefix="ota-bench-", dir=args.folder) as name:
            found = compose.rows(Path(name), rounds=args.rounds)
    except (ProgramError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return FAILED
    print(compose.table(found))
    lines = compose.missed(found)
    for line in lines:
        print(f"missed: {line}")
    return MISSED if lines and args.check else DONE


if __name__ == "__main__":
    sys.exit(main())
