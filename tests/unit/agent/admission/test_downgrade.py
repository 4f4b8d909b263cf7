# SPDX-License-Identifier: Apache-2.0
"""Which of two versions is the older one."""

from itertools import combinations

import pytest

from ota_agent.admission.downgrade import check_versions, rank
from ota_agent.errors import AgentError
from ota_artifact.header import PayloadHeader

KEY = "rootfs-image.version"
APP = "rootfs-image.app.version"
IN_ORDER = (
    "0.9",
    "v1.0.0-alpha",
    "minimal-1.0.0-alpha.1",
    "1.0.0-alpha.2",
    "1.0.0-alpha.10",
    "1.0~rc1",
    "1.0.0",
    "1.0.1",
    "release_1.2",
    "1.9",
    "1.10",
    "2",
    "2026.11.23",
    "20261123",
)


def check(offered: str, installed: str) -> None:
    """Offer a root filesystem of one version to a device that has committed another one."""
    check_versions(
        PayloadHeader(type="rootfs-image", provides={KEY: offered}), {KEY: installed}, KEY
    )


def test_versions_are_in_the_order_that_people_read() -> None:
    for older, newer in combinations(IN_ORDER, 2):
        before, after = rank(older), rank(newer)
        assert before is not None
        assert after is not None
        assert before < after, (older, newer)
        check(newer, older)
        with pytest.raises(AgentError, match=r"give the artifact a higher version"):
            check(older, newer)


@pytest.mark.parametrize(
    ("one", "other"), [("1.0", "1"), ("v1.2", "minimal-1.2"), ("1.2-RC1", "1.2-rc1")]
)
def test_versions_that_mean_the_same_may_replace_each_other(one: str, other: str) -> None:
    check(one, other)
    check(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0+aaa", "1.0+bbb"), ("minimal-0.1.0+aaaaaaaaaaaa", "minimal-0.1+b"), ("1.0", "1.0+aaa")],
)
def test_versions_that_differ_only_behind_the_plus_are_refused(one: str, other: str) -> None:
    for offered, installed in ((one, other), (other, one)):
        with pytest.raises(AgentError, match=r"nobody can say which is older; write it with --sec"):
            check(offered, installed)


def test_a_first_version_and_the_same_one_again_are_taken() -> None:
    check_versions(PayloadHeader(type="rootfs-image", provides={KEY: "1"}), {}, KEY)
    check("same", "same")
    check("1+aaa", "1+aaa")


@pytest.mark.parametrize(("offered", "installed"), [("new", "1"), ("1", "old"), ("a" * 9999, "1")])
def test_a_version_that_cannot_be_compared_is_refused(offered: str, installed: str) -> None:
    with pytest.raises(AgentError, match="has no number"):
        check(offered, installed)


def test_a_payload_without_any_version_is_refused() -> None:
    for kind, wanted in (("rootfs-image", KEY), ("script", r"a key that ends in \.version")):
        with pytest.raises(AgentError, match=f"neither a security version nor {wanted}"):
            check_versions(PayloadHeader(type=kind, provides={"other": "2"}), {}, KEY)


def test_the_software_of_a_module_is_compared_by_its_own_version() -> None:
    payload = PayloadHeader(type="script", provides={APP: "1.9"})

    check_versions(payload, {APP: "1.8", KEY: "3"}, KEY)
    with pytest.raises(AgentError, match=APP):
        check_versions(payload, {APP: "1.10"}, KEY)
