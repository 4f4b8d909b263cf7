# SPDX-License-Identifier: Apache-2.0
"""What becomes of a trial whose server is out of reach."""

import pytest

from ota_agent.trial.health import GateOptions
from ota_agent.trial.offline import Verdict, decide, may_start_again

HOUR = 3600.0
REQUIRE = GateOptions(policy="require-server", server_patience=2160)
GRACE = GateOptions(policy="grace", grace=24 * HOUR)
LOCAL = GateOptions(policy="local")


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
    options: GateOptions, unreachable: float, verdict: Verdict
) -> None:
    assert decide(options, unreachable=unreachable, is_healthy=True).verdict == verdict


@pytest.mark.parametrize("options", [REQUIRE, GRACE, LOCAL])
def test_a_sick_trial_is_never_committed(options: GateOptions) -> None:
    assert decide(options, unreachable=1e9, is_healthy=False).verdict == "fail"


def test_the_reason_says_how_long_and_what_to_do() -> None:
    failed = decide(REQUIRE, unreachable=2160, is_healthy=True)
    waiting = decide(GRACE, unreachable=HOUR, is_healthy=True)

    assert "out of reach for 36 min" in failed.why
    assert "wants the policy grace or local" in failed.why
    assert waiting.why == "the server is out of reach; waiting for it, 23.0 h more"


@pytest.mark.parametrize(
    ("most", "done", "may"), [(3, 0, True), (3, 2, True), (3, 3, False), (0, 0, False)]
)
def test_power_cuts_while_it_waits_are_survived_so_often(most: int, done: int, may: bool) -> None:
    assert may_start_again(GateOptions(power_cuts=most), done=done) is may
