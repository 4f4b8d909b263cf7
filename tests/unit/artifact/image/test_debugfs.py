# SPDX-License-Identifier: Apache-2.0
"""What debugfs prints on stderr."""

import pytest

from ota_artifact.image.debugfs import complaint_of

LOADER = "ERROR: ld.so: object '/x.so' from LD_PRELOAD cannot be preloaded: ignored.\n"
VERSION = "debugfs 1.47.0 (5-Feb-2023)\n"


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (VERSION, ""),
        (f"{LOADER}{LOADER}{VERSION}", ""),
        (f"{LOADER}{VERSION}/x: File not found\n", "/x: File not found"),
        (f"{VERSION}one\ndebugfs 2\n", "one\ndebugfs 2"),
        ("debugfs: Permission denied\n", "debugfs: Permission denied"),
        ("", ""),
    ],
)
def test_only_what_follows_its_version_is_its_complaint(said: str, complaint: str) -> None:
    assert complaint_of(said) == complaint
