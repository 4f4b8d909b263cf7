# SPDX-License-Identifier: Apache-2.0
"""What is done with a trial while the server is out of reach."""

import pytest

from ota_agent.trial.health import CommitOptions
from ota_agent.trial.offline import Verdict, decide

HOUR = 3600.0
REQUIRE = CommitOptions(policy="require-server", server_patience=2160)
GRACE = CommitOptions(policy="grace", grace=24 * HOUR)
LOCAL = CommitOptions(policy="local")


@pytest.mark.parametrize(
    ("options", "unreachable", "verdict"),
    [
        (REQUIRE, 0, "wait"),
        (REQUIRE, 2159, "wait"),
        (REQUIRE, 2160, "fail"),
        (GRACE, 0, "wait"),
        (GRACE, 24 * HOUR - 1, "wait"),
        (GRACE, 24 * HOUR, "commit"),
        (LOCAL, 0, "commit"),
    ],
)
def test_a_healthy_trial_waits_as_its_policy_says(
    options: CommitOptions, unreachable: float, verdict: Verdict
) -> None:
    assert decide(options, unreachable).verdict == verdict


def test_the_reason_says_how_long_and_what_to_do() -> None:
    failed = decide(REQUIRE, 2160)
    waiting = decide(GRACE, HOUR)

    assert "out of reach for 36 min" in failed.why
    assert "wants the policy grace or local" in failed.why
    assert waiting.why == "the server is out of reach; waiting for it, 23.0 h more"
