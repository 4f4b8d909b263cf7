# SPDX-License-Identifier: Apache-2.0
"""How the cost of a run is measured."""

import os
import sys
from pathlib import Path

import pytest

from bench.artifact.measure import Sample, measure, median
from ota_artifact.errors import ProgramError

_MIB = 1 << 20


def _python(program: str, output: Path) -> Sample:
    argv = (sys.executable, "-I", "-S", "-c", program)
    return measure(argv, environment=os.environ, output=output)


def test_the_median_is_taken_of_each_cost_alone() -> None:
    samples = [
        Sample(cpu=1, wall=9, rss=5, size=0),
        Sample(cpu=2, wall=8, rss=7, size=0),
        Sample(cpu=9, wall=1, rss=6, size=0),
    ]

    middle = median(samples)

    assert middle == Sample(cpu=2, wall=8, rss=6, size=0)


def test_the_memory_of_a_program_is_its_own_and_not_its_parents(tmp_path: Path) -> None:
    ours = bytearray(os.urandom(_MIB)) * 200

    sample = _python("pass", tmp_path / "none")

    assert sample.rss < 30 * _MIB < len(ours)


def test_cpu_time_memory_and_size_are_those_of_the_run(tmp_path: Path) -> None:
    output = tmp_path / "output"

    sample = _python(
        "import time; x = b'x' * (50 << 20); begin = time.process_time()\n"
        "while time.process_time() < begin + 0.1: pass\n"
        f"open({str(output)!r}, 'wb').write(x[:1000])",
        output,
    )

    assert 0.1 <= sample.cpu < 1
    assert sample.wall >= 0.1
    assert 50 * _MIB < sample.rss < 90 * _MIB
    assert sample.size == 1000


def test_a_program_that_fails_is_an_error_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="exit code 3: too bad"):
        _python("import sys; sys.stderr.write('too bad'); sys.exit(3)", tmp_path / "none")


def test_a_program_that_is_missing_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="no-such-program"):
        measure(["/no-such-program"], environment=os.environ, output=tmp_path / "none")
