# SPDX-License-Identifier: Apache-2.0
"""What a root filesystem says of itself."""

from pathlib import Path

import pytest

from ota_agent.device.release import released, security_version_of


@pytest.mark.parametrize(
    ("text", "name", "number"),
    [
        ("artifact=minimal-1\nsecurity_version=5\n", "minimal-1", 5),
        ("artifact='a b'\n", "a b", None),
        ("security_version=-1\n", "", None),
        ("security_version=5\\\n", "", None),
        ("it's damaged", "", None),
    ],
)
def test_a_release_has_a_name_and_may_have_a_security_version(
    tmp_path: Path, text: str, name: str, number: int | None
) -> None:
    path = tmp_path / "release"
    path.write_text(text)

    assert (released(path), security_version_of(path)) == (name, number)


def test_a_root_filesystem_without_the_file_says_nothing(tmp_path: Path) -> None:
    assert (released(tmp_path / "none"), security_version_of(tmp_path / "none")) == ("", None)
