# SPDX-License-Identifier: Apache-2.0
"""Hostile input for the reader: ``python -m tests.fuzz --seconds 60``.

Starts from the golden artifacts, changes them inside and out, and reads each result. The reader
must either accept an artifact whose content is what it claims, or raise an `ArtifactError`.
Anything else is a bug: another exception, a hang, memory without bound. Then the input is kept, and
the exit code is 1.
"""

import argparse
import multiprocessing
import secrets
import sys
import time
from pathlib import Path

from tests.fuzz.session import Report, fuzz, tried

FOLDER = Path(__file__).parents[2] / "build" / "fuzz"


def main() -> int:
    """Fuzz, or read one input again, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for how long (60)")
    parser.add_argument("--seed", help="the same seed gives the same inputs; by default a new one")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--input", type=Path, help="read only this file, to repeat a bug")
    arguments = parser.parse_args()
    if arguments.input:
        return _repeat(arguments.input)
    seed = arguments.seed or secrets.token_hex(4)
    print(f"fuzz: seed {seed}, {arguments.seconds:g} s, {arguments.workers} processes", flush=True)
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        each = [
            (f"{seed}-{worker}", arguments.seconds, FOLDER) for worker in range(arguments.workers)
        ]
        reports = pool.starmap(fuzz, each)
    return _tell(reports, time.monotonic() - start)


def _tell(reports: list[Report], seconds: float) -> int:
    executions = sum(report.executions for report in reports)
    accepted = sum(report.accepted for report in reports)
    found = sum(report.found for report in reports)
    memory = max(report.memory for report in reports)
    print(
        f"fuzz: {executions} executions, {executions / seconds:.0f}/s; {accepted} accepted,"
        f" {executions - accepted} refused; corpus {reports[0].seeds} and {found} found;"
        f" at most {memory >> 20} MiB more memory than at the start"
    )
    crashes = [report for report in reports if report.crash]
    for report in crashes:
        print(f"{report.crash}\nfuzz: again: {sys.executable} -m tests.fuzz --input {report.input}")
    return 1 if crashes else 0


def _repeat(path: Path) -> int:
    crash = tried(path.read_bytes())
    print(crash or f"{path}: shows no bug")
    return 1 if crash else 0


if __name__ == "__main__":
    sys.exit(main())
