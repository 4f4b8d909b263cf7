# SPDX-License-Identifier: Apache-2.0
"""The runtime on a real store: remembered before it is done, and cut at every point."""

from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.bootloader import Bootloader
from ota_agent.bootloader.grub import Grub
from ota_agent.bootloader.u_boot import UBoot
from ota_agent.device.options import DeviceOptions
from ota_agent.engine.runtime import RebootWanted, Runtime, Stopped, boot_id
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Action
from ota_agent.lifecycle.events import CommitAsked, Done, Event, Failed, Offered, PollDue, Trial
from ota_agent.lifecycle.states import (
    Cleaning,
    Committed,
    Committing,
    Downloading,
    Failing,
    Idle,
    Installed,
    Installing,
    Proven,
    State,
    Syncing,
)
from ota_agent.lifecycle.step import Unexpected
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.peek import peek
from ota_agent.memory.store import Store
from ota_artifact.provides import ROOTFS
from tests.unit.agent.world import Cut, Reset, World, outcome

ROOT = Artifact(name="v2", types=(ROOTFS,))
BOTH = Artifact(name="all-2", types=("single-file", ROOTFS))


class Device:
    """The world as a performer: it fails with exceptions, as the real one does."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.done: list[tuple[str, Action]] = []

    def perform(self, action: Action, state: State) -> Event | None:
        self.world.state = state
        self.world.point()
        self.done.append((type(state).__name__, action))
        event = self.world.do(action)
        self.world.point()
        if isinstance(event, Failed):
            raise AgentError(event.reason)
        return None if isinstance(event, Done) else event

    def trial(self, state: State) -> tuple[Trial, str]:
        started = self.world.started(has_rebooted=True)
        return started.trial, started.why


class CuttingStore(Store):
    """A store that loses power before or after it writes."""

    def __init__(self, path: Path, world: World) -> None:
        super().__init__(path)
        self._world = world

    def save(self, state: State, boot: str) -> None:
        self._world.point()
        super().save(state, boot)
        self._world.point()


def live(world: World, path: Path) -> None:
    """Boots, or starts of the agent, until the update is over."""
    device = Device(world)
    first: Event = (
        Offered(Update(source=Address("http://server/a"))) if world.is_standalone else PollDue()
    )
    is_asked = False
    for _ in range(40):
        store = CuttingStore(path, world)
        try:
            runtime = Runtime(store, device, f"boot {world.boots}")
            runtime.start()
            if isinstance(runtime.state, Idle) and not is_asked:
                runtime.feed(first)
            is_asked = True
            if isinstance(runtime.state, Installed) and runtime.state.update.is_rebooting:
                raise Reset
            if isinstance(runtime.state, Installed | Proven):
                runtime.feed(CommitAsked())
            assert isinstance(runtime.state, Idle)
            return
        except (Cut, Reset, RebootWanted) as end:
            is_asked = is_asked or not isinstance(store.load().state, Idle)
            if isinstance(end, Reset) or not world.kills:
                world.boot()
        finally:
            store.close()
    raise AssertionError(f"no end: {world}")


def device(artifact: Artifact, **options: object) -> World:
    return World(artifact=artifact, **options)  # type: ignore[arg-type]


@pytest.mark.boot
@pytest.mark.parametrize("artifact", [ROOT, BOTH], ids=["root filesystem", "both"])
@pytest.mark.parametrize("is_standalone", [False, True], ids=["server", "user"])
@pytest.mark.parametrize("kills", [False, True], ids=["power", "agent"])
def test_a_cut_at_any_point_ends_on_the_old_or_the_new_system(
    artifact: Artifact, is_standalone: bool, kills: bool, tmp_path: Path
) -> None:
    options = {"is_standalone": is_standalone, "kills": kills}
    whole = device(artifact, **options)
    live(whole, tmp_path / "whole.db")
    assert outcome(whole) == "NEW"
    print(f"{whole.points} points")

    for point in range(whole.points):
        world = device(artifact, **options, cuts=frozenset({point}))
        live(world, tmp_path / f"{point}.db")

        assert outcome(world) in {"OLD", "NEW"}, (point, world)
        if not is_standalone:
            told = {"OLD": "failure", "NEW": "success"}[outcome(world)]
            assert world.reports[-1] == told, point


def test_the_state_is_on_the_disk_before_its_first_action(tmp_path: Path) -> None:
    seen = []

    class Looking(Device):
        def perform(self, action: Action, state: State) -> Event | None:
            memory = peek(tmp_path / "s.db")
            seen.append((state, memory.state if memory else None))
            return super().perform(action, state)

    world = device(ROOT)
    with pytest.raises(Reset):
        Runtime(Store(tmp_path / "s.db"), Looking(world), "boot 1").feed(PollDue())

    assert all(state == kept for state, kept in seen if not isinstance(state, Syncing | Idle))
    assert len({type(state) for state, _ in seen}) > 4


def test_a_device_that_polls_in_vain_writes_nothing(tmp_path: Path) -> None:
    class Quiet(Device):
        def perform(self, action: Action, state: State) -> Event | None:
            event = super().perform(action, state)
            return Failed("no network") if isinstance(event, Offered) else event

    runtime = Runtime(Store(tmp_path / "s.db"), Quiet(device(ROOT)), "boot 1")
    before = (tmp_path / "s.db").read_bytes()

    for _ in range(5):
        runtime.feed(PollDue())

    assert isinstance(runtime.state, Idle)
    assert (tmp_path / "s.db").read_bytes() == before


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    runtime = Runtime(Store(tmp_path / "s.db"), Device(device(ROOT)), "boot 1")

    with pytest.raises(Unexpected):
        runtime.feed(CommitAsked())

    assert runtime.state == Idle()


def test_a_disk_that_is_full_stops_it_before_anything_is_done(tmp_path: Path) -> None:
    class Full(Store):
        def save(self, state: State, boot: str) -> None:
            raise AgentError("no room")

    world = Device(device(ROOT))
    runtime = Runtime(Full(tmp_path / "s.db"), world, "boot 1")

    with pytest.raises(AgentError, match="no room"):
        runtime.feed(PollDue())

    assert not [name for name, _ in world.done if name not in {"Syncing", "Idle"}]


def test_a_start_in_the_same_boot_is_not_a_reboot(tmp_path: Path) -> None:
    events: list[bool] = []

    class Watching(Device):
        def trial(self, state: State) -> tuple[Trial, str]:
            events.append(True)
            return super().trial(state)

    store = Store(tmp_path / "s.db")
    store.save(Downloading(Update(source=Address("u"), deployment="d", reboots=0)), "boot 1")
    for boot, reboots in (("boot 1", 0), ("boot 2", 0)):
        runtime = Runtime(store, Watching(device(ROOT)), boot)
        update = Update(source=Address("u"), deployment="d", reboots=reboots)
        assert runtime.state == Downloading(update)
        with pytest.raises(Reset):
            runtime.start()
        store.save(Downloading(Update(source=Address("u"), deployment="d")), "boot 1")
    assert events == [True, True]


def test_the_bootloaders_are_what_the_agent_takes_for_one(tmp_path: Path) -> None:
    backends: tuple[Bootloader, ...] = (UBoot(tmp_path / "none"), Grub(tmp_path / "none"))

    assert all(each.findings() for each in backends)


def test_every_boot_has_an_id(tmp_path: Path) -> None:
    assert len(boot_id(DeviceOptions().boot_id)) == 36
    with pytest.raises(AgentError, match="is /proc mounted"):
        boot_id(tmp_path / "none")


@pytest.mark.parametrize("kind", [Installing, Committing, Committed, Failing, Cleaning])
def test_it_stops_before_a_state_and_continues_from_there(
    kind: type[State], tmp_path: Path
) -> None:
    """A user's update that is committed, or fails if the state is one of a failure."""
    fails = {"ArtifactCommit": 1} if kind is Failing else {}
    world = World(
        artifact=Artifact(name="app", types=("single-file",)), is_standalone=True, fails=fails
    )
    world.can_roll_back = False  # it is committed with its install
    store = Store(tmp_path / "state.db")
    stopping = Runtime(store, Device(world), "boot", stop_before=(kind,))

    with pytest.raises(Stopped):
        stopping.feed(Offered(Update(source=Address("http://server/a"))))
    done = list(world.done)
    going_on = Runtime(store, Device(world), "boot")
    going_on.start()

    assert isinstance(going_on.state, Idle)
    assert "ArtifactInstall_Enter" not in done or kind is not Installing
    assert world.done.count("ArtifactInstall") == 1
    assert world.provides == ("inconsistent" if kind is Failing else "new")
    store.close()
