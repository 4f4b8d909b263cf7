# SPDX-License-Identifier: Apache-2.0
"""Every way through an update ends on the old system or on the new one, and is told truly."""

import itertools

import pytest

from ota_agent.address import Address
from ota_agent.lifecycle.actions import CallPayloads, Reboot, SaveProvides
from ota_agent.lifecycle.events import CommitAsked, Done, Event, Failed, Started
from ota_agent.lifecycle.recover import MOST_REBOOTS
from ota_agent.lifecycle.states import (
    Committed,
    Erring,
    Failing,
    Installed,
    Installing,
    State,
    Step,
    Trying,
    TryingBack,
)
from ota_agent.lifecycle.step import Unexpected, step
from ota_agent.lifecycle.update import Artifact, Update
from ota_artifact.provides import ROOTFS
from tests.unit.agent.table import EVENTS, PAGE, page, reached
from tests.unit.agent.world import World, again, outcome

ROOT = Artifact(name="v2", types=(ROOTFS,))
MODULE = Artifact(name="app-2", types=("single-file",))
BOTH = Artifact(name="all-2", types=("single-file", ROOTFS))
ARTIFACTS = {"root filesystem": ROOT, "module": MODULE, "both": BOTH}

ends = pytest.mark.parametrize("artifact", ARTIFACTS.values(), ids=ARTIFACTS)
asked_by = pytest.mark.parametrize("is_standalone", [False, True], ids=["server", "user"])


def device(artifact: Artifact, **options: object) -> World:
    wants_reboot = ROOTFS in artifact.types
    return World(artifact=artifact, **{"wants_reboot": wants_reboot, **options})  # type: ignore[arg-type]


def told(world: World) -> str:
    """What the server was told last."""
    return world.reports[-1] if world.reports else ""


@ends
@asked_by
def test_an_update_that_nothing_disturbs_ends_on_the_new_system(
    artifact: Artifact, is_standalone: bool
) -> None:
    world = device(artifact, is_standalone=is_standalone)

    world.install()

    assert outcome(world) == "NEW"
    assert told(world) == ("" if is_standalone else "success")


FORWARD = [
    "Idle_Leave",
    "Sync_Enter",
    "Poll",
    "Sync_Leave",
    "Download_Enter",
    "Fetch",
    "Download_Leave",
    "WaitWhilePaused",
    "ArtifactInstall_Enter",
    "ArtifactInstall",
    "ArtifactInstall_Leave",
    "Ask",
    "WaitWhilePaused",
    "ArtifactReboot_Enter",
    "ArtifactReboot",
    "Reboot",
]
TRIED = ["ArtifactVerifyReboot", "ArtifactReboot_Leave", "CheckHealth"]
COMMITTED = [
    "WaitWhilePaused",
    "ArtifactCommit_Enter",
    "ArtifactCommit",
    "ArtifactCommit_Leave",
    "SaveProvides",
    "Cleanup",
    "Idle_Enter",
]
BACK = [
    "ArtifactReboot_Error",
    "Ask",
    "ArtifactRollback_Enter",
    "ArtifactRollback",
    "ArtifactRollback_Leave",
    "Ask",
    "ArtifactRollbackReboot_Enter",
    "ArtifactRollbackReboot",
    "Reboot",
    "ArtifactVerifyRollbackReboot",
    "ArtifactRollbackReboot_Leave",
    "ArtifactFailure_Enter",
    "ArtifactFailure",
    "ArtifactFailure_Leave",
    "Cleanup",
    "SendLog",
    "Idle_Enter",
]


def test_all_is_done_in_menders_order() -> None:
    """Source: Mender's documentation of state scripts; mender-update's state machine."""
    world = device(ROOT)

    world.install()

    assert world.done == [*FORWARD, *TRIED, *COMMITTED]
    assert world.reports == ["downloading", "installing", "rebooting", "installing", "success"]


def test_a_trial_that_fails_goes_back_in_menders_order() -> None:
    world = device(ROOT, fails={"CheckHealth": 1})

    world.install()

    assert world.done == [*FORWARD, *TRIED[:-1], *BACK]
    assert world.reports == ["downloading", "installing", "rebooting", "failure"]


def test_a_trial_that_a_power_cut_began_is_not_installed_again() -> None:
    state = Installing(Update(source=Address("u"), deployment="d", artifact=ROOT, target="B"))

    now = step(state, Started(has_rebooted=True, trial="running"))

    assert isinstance(now.state, Trying)
    assert now.state.update.has_rebooted
    assert now.actions[0] == CallPayloads("ArtifactVerifyReboot")


@ends
@asked_by
@pytest.mark.parametrize("kills", [False, True], ids=["power", "agent"])
def test_a_cut_at_any_point_ends_on_the_old_or_the_new_system_and_is_told_truly(
    artifact: Artifact, is_standalone: bool, kills: bool
) -> None:
    whole = device(artifact, is_standalone=is_standalone, kills=kills)
    whole.install()

    for point in range(whole.points):
        world = again(whole, cuts=frozenset({point}))
        world.install()

        assert not world.is_committed or outcome(world) == "NEW", point
        assert outcome(world) in {"OLD", "NEW"}, (point, world)
        if not is_standalone:
            assert told(world) == {"OLD": "failure", "NEW": "success"}[outcome(world)], point


@pytest.mark.boot
@ends
@pytest.mark.parametrize("kills", [False, True], ids=["power", "agent"])
def test_two_cuts_at_any_two_points_end_so_too(artifact: Artifact, kills: bool) -> None:
    whole = device(artifact, kills=kills)
    whole.install()

    for pair in itertools.combinations(range(whole.points + 20), 2):
        world = again(whole, cuts=frozenset(pair))
        world.install()

        assert not world.is_committed or outcome(world) == "NEW", pair
        assert outcome(world) in {"OLD", "NEW"}, (pair, world)
        assert told(world) == {"OLD": "failure", "NEW": "success"}[outcome(world)], pair


def test_a_committed_slot_that_no_longer_loads_is_told_as_a_failure() -> None:
    """The power fails before the new release is remembered, and the bootloader has to go back."""
    update = Update(source=Address("u"), deployment="d", artifact=ROOT, target="B")

    now = step(Committed(update), Started(True, "rolled-back", "it did not load"))

    assert isinstance(now.state, Erring)
    assert now.state.update.reason == "it did not load"
    assert SaveProvides() not in now.actions


def test_a_cut_while_downloading_costs_nothing() -> None:
    whole = device(ROOT)
    whole.install()
    until = whole.reports.index("installing")

    for point in range(until):
        world = again(whole, cuts=frozenset({point}))
        world.install()

        assert (outcome(world), told(world)) == ("NEW", "success")


def test_a_new_system_that_never_starts_is_rolled_back_with_the_bootloaders_reason() -> None:
    world = device(ROOT, panics=True)

    world.install()

    assert outcome(world) == "OLD"
    assert told(world) == "failure"


@ends
@pytest.mark.parametrize(
    "action", ["Fetch", "ArtifactInstall", "CheckHealth", "ArtifactCommit", "Report"]
)
def test_an_action_that_fails_leaves_the_old_system(artifact: Artifact, action: str) -> None:
    world = device(artifact, fails={action: 1})

    world.install()

    assert (outcome(world), told(world)) == ("OLD", "failure")


@ends
@pytest.mark.parametrize("action", ["ArtifactInstall", "CheckHealth", "ArtifactCommit"])
def test_a_cut_while_it_goes_back_changes_nothing_of_that(artifact: Artifact, action: str) -> None:
    whole = device(artifact, fails={action: 1})
    whole.install()

    for point in range(whole.points):
        world = again(device(artifact, fails={action: 2}), cuts=frozenset({point}))
        world.install()

        assert (outcome(world), told(world)) == ("OLD", "failure"), (point, world)


def test_an_update_that_cannot_be_rolled_back_is_called_inconsistent() -> None:
    world = device(MODULE, can_roll_back=False, fails={"CheckHealth": 1})

    world.install()

    assert world.provides == "inconsistent"
    assert told(world) == "failure"


def test_a_device_that_reboots_for_ever_gives_up() -> None:
    state: State = Installing(
        Update(source=Address("u"), deployment="d", artifact=ROOT, target="B")
    )

    for _ in range(MOST_REBOOTS + 1):
        now = step(state, Started(has_rebooted=True))
        state = now.state

    assert type(state).__name__ == "Failing"
    assert not state.update.is_consistent  # type: ignore[union-attr]


# Every event in every state.


def test_every_state_can_be_reached_and_left() -> None:
    names = {each.__name__ for each in State.__args__}

    assert {name.partition(" ")[0] for name in reached()} == names
    for state in reached().values():
        assert any(_leaves(state, event) for event in EVENTS), state


def _leaves(state: State, event: Event) -> bool:
    try:
        return type(step(state, event).state) is not type(state)
    except Unexpected:
        return False


@pytest.mark.parametrize("name", sorted(reached()))
def test_every_event_is_decided_or_refused_and_nothing_follows_a_reboot(name: str) -> None:
    for event in EVENTS:
        try:
            now = step(reached()[name], event)
        except Unexpected:
            continue
        assert isinstance(now, Step)
        assert Reboot() not in now.actions[:-1]


def test_a_commit_before_the_reboot_is_refused_with_what_to_do() -> None:
    state = Installed(Update(source=Address("u"), artifact=ROOT, target="B", is_rebooting=True))

    with pytest.raises(Unexpected, match="reboot the device first"):
        step(state, CommitAsked())


def test_the_table_in_the_docs_is_what_the_code_does() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_a_module_that_never_comes_back_does_not_go_round_for_ever() -> None:
    update = Update(
        source=Address("u"),
        deployment="d",
        artifact=Artifact(name="app", types=("app",)),
        reason="because",
    )
    state: State = TryingBack(update)

    rounds = 0
    while rounds < 100:
        rounds += 1
        state = step(state, Failed("it is not back")).state
        if isinstance(state, Failing):
            break
        state = step(state, Done()).state

    assert isinstance(state, Failing)
    assert rounds < 25
    assert not state.update.is_consistent
