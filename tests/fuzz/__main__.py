# SPDX-License-Identifier: Apache-2.0
"""Hostile input for what reads it: ``python -m tests.fuzz --seconds 60``.

Starts from the golden inputs, changes them inside and out, and has each result read. The reader of
artifacts must either accept an artifact whose content is what it claims, or raise an
`ArtifactError`; each of the agent's parsers gives a value, or the error that it says. Anything else
is a bug: another exception, a hang, memory without bound. Then the input is kept, and the exit code
is 1.
"""

import argparse
import multiprocessing
import secrets
import sys
import time
from pathlib import Path

from tests.fuzz.agent import PARSERS
from tests.fuzz.session import ARTIFACT, Report, fuzz, tried

FOLDER = Path(__file__).parents[2] / "build" / "fuzz"


def main() -> int:
    """Fuzz, or read one input again, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for how long (60)")
    parser.add_argument("--seed", help="the same seed gives the same inputs; by default a new one")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--input", type=Path, help="read only this file, to repeat a bug")
    parser.add_argument(
        "--target", default=ARTIFACT, choices=(ARTIFACT, *PARSERS, "all"), help="(artifact)"
    )
    arguments = parser.parse_args()
    if arguments.input:
        return _repeat(arguments.input, arguments.target)
    seed = arguments.seed or secrets.token_hex(4)
    names = (ARTIFACT, *PARSERS) if arguments.target == "all" else (arguments.target,)
    return max(_fuzzed(each, seed, arguments.seconds, arguments.workers) for each in names)


def _fuzzed(name: str, seed: str, seconds: float, workers: int) -> int:
    print(f"fuzz: {name}, seed {seed}, {seconds:g} s, {workers} processes", flush=True)
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        each = [(f"{seed}-{worker}", seconds, FOLDER, name) for worker in range(workers)]
        reports = pool.starmap(fuzz, each)
    return _tell(reports, name, time.monotonic() - start)


def _tell(reports: list[Report], name: str, seconds: float) -> int:
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
        again = f"{sys.executable} -m tests.fuzz --target {name} --input {report.input}"
        print(f"{report.crash}\nfuzz: again: {again}")
    return 1 if crashes else 0


def _repeat(path: Path, name: str) -> int:
    crash = tried(path.read_bytes(), name)
    print(crash or f"{path}: shows no bug")
    return 1 if crash else 0


if __name__ == "__main__":
    sys.exit(main())
