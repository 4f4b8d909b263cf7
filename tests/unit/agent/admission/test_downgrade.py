# SPDX-License-Identifier: Apache-2.0
"""Which of two versions is the older one."""

from itertools import combinations

import pytest

from ota_agent.admission.downgrade import check_downgrade, rank
from ota_agent.errors import AgentError

KEY = "rootfs-image.version"
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


def test_versions_are_in_the_order_that_people_read() -> None:
    for older, newer in combinations(IN_ORDER, 2):
        before, after = rank(older), rank(newer)
        assert before is not None
        assert after is not None
        assert before < after, (older, newer)
        check_downgrade({KEY: newer}, {KEY: older}, KEY)
        with pytest.raises(AgentError, match=r"give the artifact a higher version"):
            check_downgrade({KEY: older}, {KEY: newer}, KEY)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0", "1"), ("1.0+aaa", "1.0+bbb"), ("v1.2", "minimal-1.2"), ("1.2-RC1", "1.2-rc1")],
)
def test_versions_that_mean_the_same_may_replace_each_other(one: str, other: str) -> None:
    check_downgrade({KEY: one}, {KEY: other}, KEY)
    check_downgrade({KEY: other}, {KEY: one}, KEY)


def test_who_says_no_version_is_not_compared() -> None:
    check_downgrade({}, {KEY: "2"}, KEY)
    check_downgrade({KEY: "1"}, {}, KEY)
    check_downgrade({KEY: "same"}, {KEY: "same"}, KEY)


@pytest.mark.parametrize(("offered", "installed"), [("new", "1"), ("1", "old"), ("a" * 9999, "1")])
def test_a_version_that_cannot_be_compared_is_refused(offered: str, installed: str) -> None:
    with pytest.raises(AgentError, match="has no number"):
        check_downgrade({KEY: offered}, {KEY: installed}, KEY)


def test_a_root_filesystem_without_a_version_is_refused() -> None:
    with pytest.raises(AgentError, match=f"does not provide {KEY}"):
        check_downgrade({}, {KEY: "2"}, KEY, has_rootfs=True)
