# SPDX-License-Identifier: Apache-2.0
"""Reads the text files that a user writes by hand."""

from pathlib import Path

from ota_artifact.errors import ArtifactError


def read_text(path: Path) -> str:
    """The text of a file, which is UTF-8 in any locale; a byte order mark is skipped.

    Raises:
        ArtifactError: it is not UTF-8; with file and line.
        OSError: it cannot be read.
    """
    return text_of(path.read_bytes(), str(path))


def text_of(data: bytes, place: str) -> str:
    """The text of a file that has been read already.

    Args:
        place: what an error names.

    Raises:
        ArtifactError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ArtifactError(f"{place}:{line}: is not UTF-8; save it in UTF-8") from error
