# SPDX-License-Identifier: Apache-2.0
"""Work that takes long says how far it is."""

import sys

import pytest

from ota_artifact.errors import ProgramError
from ota_image.progress import run_and_tell

PROGRAM = """\
import sys, time
for text in ("  CC ", "a.o\\n  CC b.o\\nmake: entering\\n", "  CC c.o\\n"):
    print(text, end="", flush=True)
    time.sleep(0.1)
sys.exit("no space" if sys.argv[1:] else 0)
"""


def run(*words: str, interval: float) -> list[str]:
    said: list[str] = []
    run_and_tell(
        (sys.executable, "-I", "-S", "-c", PROGRAM, *words),
        silence=10,
        tell=lambda count: f"{count} done",
        say=said.append,
        start=b"  ",
        interval=interval,
    )
    return said


def test_lines_are_counted_as_they_come() -> None:
    assert run(interval=0.01) == ["2 done", "3 done"]


def test_what_is_quick_says_nothing() -> None:
    assert run(interval=60) == []


def test_a_failure_is_an_error_with_what_the_program_said() -> None:
    with pytest.raises(ProgramError, match="exit code 1: no space"):
        run("fail", interval=60)
