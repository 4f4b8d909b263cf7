# SPDX-License-Identifier: Apache-2.0
"""Text files as people save them, on any system."""

from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.own_text import read_text


@pytest.mark.parametrize("data", [b"a\n\xc3\xa4\n", b"\xef\xbb\xbfa\r\n\xc3\xa4\r\n"])
def test_a_byte_order_mark_and_the_line_ends_of_windows_do_not_matter(
    tmp_path: Path, data: bytes
) -> None:
    file = tmp_path / "text"
    file.write_bytes(data)

    assert read_text(file) == "a\nä\n"


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"a\nf\xfcr\n")

    with pytest.raises(ArtifactError, match=r"text:2: is not UTF-8; save it in UTF-8"):
        read_text(file)
