# SPDX-License-Identifier: Apache-2.0
"""What a device provides after an update. Source: Mender's client, as read and observed."""

import pytest

from ota_agent.lifecycle.provides import after, after_failure
from ota_agent.lifecycle.update import Artifact

BEFORE = {
    "artifact_name": "v1",
    "artifact_group": "beta",
    "rootfs-image.version": "v1",
    "rootfs-image.app.version": "3",
    "data.version": "5",
}


def artifact(clears: tuple[str, ...] | None, provides: dict[str, str], group: str = "") -> Artifact:
    return Artifact(
        name="v2", group=group, types=("rootfs-image",), provides=provides, clears=clears
    )


def test_what_is_cleared_goes_and_the_rest_stays() -> None:
    new = artifact(("rootfs-image.*",), {"rootfs-image.version": "v2"})

    assert after(new, BEFORE) == {
        "artifact_name": "v2",
        "artifact_group": "beta",
        "rootfs-image.version": "v2",
        "data.version": "5",
    }


def test_without_a_word_of_clears_all_is_replaced_but_the_group() -> None:
    assert after(artifact(None, {"a": "b"}), BEFORE) == {
        "artifact_name": "v2",
        "artifact_group": "beta",
        "a": "b",
    }


def test_with_no_clears_nothing_goes() -> None:
    assert after(artifact((), {}), BEFORE) == {**BEFORE, "artifact_name": "v2"}


@pytest.mark.parametrize(
    ("pattern", "goes"),
    [
        ("data.version", {"data.version"}),
        ("data", set()),
        ("*.version", {"rootfs-image.version", "rootfs-image.app.version", "data.version"}),
        ("rootfs-image.*.version", {"rootfs-image.app.version"}),
        ("rootfs-image.*version", {"rootfs-image.version", "rootfs-image.app.version"}),
        ("rootfs?image.version", set()),
        ("[a-z]*", set()),
        ("artifact_group", {"artifact_group"}),
        ("*", set(BEFORE)),
    ],
)
def test_a_star_is_any_text_and_nothing_else_is_special(pattern: str, goes: set[str]) -> None:
    found = after(artifact((pattern,), {}), BEFORE)

    assert set(BEFORE) - set(found) == goes - {"artifact_name"}


def test_a_group_is_the_artifacts_if_it_has_one() -> None:
    assert after(artifact((), {}, "prod"), BEFORE)["artifact_group"] == "prod"


def test_a_failure_that_cannot_be_undone_is_in_the_name() -> None:
    found = after_failure(artifact(("*",), {"a": "b"}), BEFORE)

    assert found == {**BEFORE, "artifact_name": "v2_INCONSISTENT"}
