# SPDX-License-Identifier: Apache-2.0
"""A command imports what its command line needs; for its end see tests/house/test_commands.py."""

import pytest

from ota_artifact.command import needed

ALL = ("status", "check_update")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("status", "--json"), ("status",)),
        (("check-update",), ("check_update",)),
        (("--quiet", "status", "check-update"), ("status",)),
        (("--version",), ()),
        ((), ALL),
        (("--help",), ALL),
        (("stat",), ALL),
        (("stat", "status"), ALL),
    ],
)
def test_a_command_line_needs_its_sub_command_or_all(
    words: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert needed(words, ALL) == expected
