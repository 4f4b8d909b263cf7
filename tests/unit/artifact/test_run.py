# SPDX-License-Identifier: Apache-2.0
"""What the error of a program quotes."""

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.run import run


def test_of_a_program_that_says_a_lot_the_first_and_the_last_lines_are_quoted() -> None:
    with pytest.raises(ProgramError) as raised:
        run(("sh", "-c", "seq -f 'tar: %.0f: failed' 22000 >&2; exit 2"), timeout=30)

    lines = str(raised.value).splitlines()
    assert lines[0].endswith("exit code 2: tar: 1: failed")
    assert lines[10] == "… 21960 more lines …"
    assert lines[-1] == "tar: 22000: failed"
    assert len(lines) == 41


def test_a_long_line_is_cut() -> None:
    with pytest.raises(ProgramError) as raised:
        run(("sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1"), timeout=30)

    assert len(str(raised.value)) < 3000


def test_a_few_lines_are_quoted_whole() -> None:
    with pytest.raises(ProgramError, match=r"exit code 1: one\ntwo$"):
        run(("sh", "-c", "echo one >&2; echo two >&2; exit 1"), timeout=30)
