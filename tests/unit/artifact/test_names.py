# SPDX-License-Identifier: Apache-2.0
"""Names that an artifact may have."""

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.names import (
    SCRIPT_STATES,
    check_file_name,
    check_payload_type,
    check_script_name,
    check_text,
    shown,
)


@pytest.mark.parametrize(
    "text", ["a", "release 2", "n" * 256, "\u00e9" * 128, "a/b", "\u65e5\u672c"]
)
def test_printable_text_of_256_bytes_is_accepted(text: str) -> None:
    assert check_text(text, "name") == text


@pytest.mark.parametrize(
    "text", ["", "n" * 257, "\u00e9" * 129, "a\n", "\0", "\x7f", "\u202e", "\ud800", "\u00a0"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ArtifactError, match="name: "):
        check_text(text, "name")


@pytest.mark.parametrize("name", ["rootfs-image", "dir", "A.b_c+d-1", "9", "_", "t" * 128])
def test_payload_type_that_can_be_a_module_is_accepted(name: str) -> None:
    assert check_payload_type(name, "type") == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../sh", "/sh", "a/b", "-rf", "+x", ".x", "a b", "a\n", "\u00e9", "t" * 129],
)
def test_other_payload_type_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match="is not a payload type"):
        check_payload_type(name, "type")


@pytest.mark.parametrize("name", ["rootfs.ext4", "a", "...", "-", ".hidden", "a,b_c-1", "n" * 90])
def test_name_of_one_component_is_accepted(name: str) -> None:
    assert check_file_name(name, "file") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/a", "a\\b", "a b", "a\n", "a\0", "\u00e9", "a:b", "n" * 91]
)
def test_other_file_name_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match="file: "):
        check_file_name(name, "file")


@pytest.mark.parametrize("state", SCRIPT_STATES)
@pytest.mark.parametrize("rest", ["Enter_00", "Leave_99", "Error_05_a-text.sh"])
def test_script_of_a_state_of_the_artifact_is_accepted(state: str, rest: str) -> None:
    assert check_script_name(f"{state}_{rest}", "script") == f"{state}_{rest}"


@pytest.mark.parametrize(
    "name",
    [
        *("", "Idle_Enter_00", "Sync_Leave_00", "Download_Enter_00", "artifactinstall_Enter_00"),
        *("ArtifactInstall_Enter_0", "ArtifactInstall_Enter_000", "ArtifactInstall_Enter"),
        *("ArtifactInstall_Enter_00_", "ArtifactInstall_Enter_00_a/b", "ArtifactInstall_Stop_00"),
        *(
            "../ArtifactInstall_Enter_00",
            "xArtifactInstall_Enter_00",
            "ArtifactInstall_Enter_00_a b",
        ),
        "ArtifactInstall_Enter_00_" + "n" * 256,
    ],
)
def test_other_script_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match="is not the name of a state script"):
        check_script_name(name, "script")


def test_text_of_others_is_shown_escaped_and_short() -> None:
    assert shown("a\x1b[2J") == r"'a\x1b[2J'"
    assert shown("\u00e9\ud800") == r"'\xe9\ud800'"
    assert len(shown("x" * 1000)) == 81
