# SPDX-License-Identifier: Apache-2.0
"""A device in a few lines: slots, a bootloader, a disk that keeps the agent's state, and a server.

The bootloader is that of the contract: it counts trial boots, and goes back after one that was not
committed. The power can be cut at every point where it matters: before and after each action, and
before and after the agent's state is written. What the actions do here they do for real in
runtime.py; what is held to the light is `step`.
"""

from dataclasses import dataclass, field

from ota_agent.address import Address
from ota_agent.lifecycle.actions import (
    Action,
    Ask,
    CallPayloads,
    Fetch,
    Poll,
    Reboot,
    Report,
    RunScripts,
    SaveProvides,
)
from ota_agent.lifecycle.events import (
    Answered,
    CommitAsked,
    Done,
    Event,
    Failed,
    Fetched,
    Offered,
    PollDue,
    Started,
    Trial,
)
from ota_agent.lifecycle.states import Idle, Installed, Proven, State, Step, Syncing
from ota_agent.lifecycle.step import step
from ota_agent.lifecycle.update import Artifact, Update
from ota_artifact.provides import ROOTFS


class Cut(BaseException):
    """The power is gone."""


class Reset(BaseException):
    """The device reboots because it was asked to."""


class Dead(BaseException):
    """The world ran for too long: a loop."""


@dataclass(kw_only=True)
class World:
    """The device.

    Attributes:
        artifact: what is installed; its payload types say how.
        fails: actions that fail, by their name, as often as it says.
        cuts: at which points the power is cut, counted from the first.
        panics: the new system never gets as far as the agent.
        kills: at the points of `cuts` the agent alone is killed, in place of the device.
    """

    artifact: Artifact
    is_standalone: bool = False
    can_roll_back: bool = True
    wants_reboot: bool = True
    panics: bool = False
    kills: bool = False
    fails: dict[str, int] = field(default_factory=dict)
    cuts: frozenset[int] = frozenset()
    running: str = "A"
    boots_next: str = "A"
    is_trial: bool = False
    bootcount: int = 0
    why: str = ""
    slot: dict[str, str] = field(default_factory=lambda: {"A": "old", "B": "old"})
    module: str = "old"
    backup: str = ""
    provides: str = "old"
    state: State = field(default_factory=Idle)
    is_begun: bool = False
    reports: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    is_committed: bool = False
    points: int = 0
    boots: int = 0

    def install(self) -> None:
        """Go through an update, to its end, whatever is cut."""
        self._live(
            Offered(Update(source=Address("http://server/a"))) if self.is_standalone else PollDue()
        )

    def _live(self, first: Event) -> None:
        event = first
        while not (self.is_begun and isinstance(self.state, Idle)):
            if self.boots > 60 or self.points > 5000:
                raise Dead(self)
            try:
                self._run(event)
            except (Cut, Reset) as end:
                is_reboot = isinstance(end, Reset) or not self.kills
                if is_reboot:
                    self.boot()
                event = self.started(has_rebooted=is_reboot)
                if not self.is_begun:
                    self.state, event = Idle(), first

    def _run(self, event: Event) -> None:
        while True:
            now = step(self.state, event)
            self.point()
            self.state = now.state
            self.is_begun = self.is_begun or not isinstance(now.state, Idle | Syncing)
            self.point()
            event = self._carry_out(now)
            if isinstance(self.state, Idle) and isinstance(event, Done):
                return
            if isinstance(event, Done) and isinstance(self.state, Installed | Proven):
                event = self._decided()

    def _decided(self) -> Event:
        """What the user does: reboots if asked to, then commits."""
        if isinstance(self.state, Installed) and self.state.update.is_rebooting:
            raise Reset
        return CommitAsked()

    def _carry_out(self, now: Step) -> Event:
        event: Event = Done()
        for action in now.actions:
            self.point()
            event = self.do(action)
            self.point()
            if isinstance(event, Failed):
                break
        return event

    def do(self, action: Action) -> Event:
        name = getattr(action, "call", type(action).__name__)
        if self.fails.get(name, 0) and not getattr(action, "is_ignored", False):
            self.fails[name] -= 1
            return Failed(f"{name} fails")
        if isinstance(action, RunScripts):
            self.done.append(f"{action.state}_{action.moment}")
        elif not isinstance(action, Report):
            self.done.append(str(name))
        match action:
            case Poll():
                return Offered(Update(source=Address("http://server/a"), deployment="d1"))
            case Fetch():
                self.slot["B"] = "new" if self.has_rootfs else self.slot["B"]
                return Fetched(self.artifact, "B" if self.has_rootfs else "")
            case CallPayloads(call):
                return self._call(call)
            case Ask():
                is_elsewhere = self.has_rootfs and self.boots_next != self.running
                return Answered(
                    self.wants_reboot and (is_elsewhere or not self.has_rootfs),
                    self.can_roll_back,
                )
            case Reboot():
                raise Reset
            case Report(status):
                self.reports.append(status)
            case SaveProvides():
                self.provides = "new" if not self._update.reason else "inconsistent"
        return Done()

    @property
    def has_rootfs(self) -> bool:
        return ROOTFS in self.artifact.types

    @property
    def has_modules(self) -> bool:
        return bool({*self.artifact.types} - {None, ROOTFS})

    @property
    def _update(self) -> Update:
        assert not isinstance(self.state, Idle)
        return self.state.update  # type: ignore[union-attr]

    def _call(self, call: str) -> Event:
        has_module = self.has_modules
        has_rootfs = self.has_rootfs
        match call:
            case "ArtifactInstall":
                if has_module:
                    self.backup, self.module = self.backup or self.module, "new"
                self.point()
                if has_rootfs:
                    self._set("B", is_trial=True)
            case "ArtifactVerifyReboot":
                if has_rootfs and not (self.running == "B" and self.is_trial):
                    return Failed("the wrong slot runs")
            case "ArtifactCommit":
                if has_rootfs and self.running != "B":
                    return Failed("the wrong slot runs")
                self.point()
                if has_rootfs:
                    self._set("B", is_trial=False)
                    self.is_committed = True
            case "ArtifactFailure":
                assert self._update.reason, "nothing has failed"
            case "ArtifactRollback":
                if has_rootfs:
                    self._set("A", is_trial=False)
                self.point()
                if has_module and self.backup:
                    self.module = self.backup
            case "ArtifactVerifyRollbackReboot":
                if has_rootfs and self.running != "A":
                    return Failed("the wrong slot runs")
            case "Cleanup":
                self.backup = ""
        return Done()

    def _set(self, slot: str, *, is_trial: bool) -> None:
        self.boots_next, self.is_trial, self.bootcount, self.why = slot, is_trial, 0, ""

    def boot(self) -> None:
        self.boots += 1
        if self.is_trial and self.bootcount >= 1:
            self.why = f"count of slot {self.boots_next}"
            self.boots_next = "A" if self.boots_next == "B" else "B"
            self.is_trial, self.bootcount = False, 0
        elif self.is_trial:
            self.bootcount += 1
        self.running = self.boots_next
        if self.panics and self.slot[self.running] == "new":
            self.boot()

    def started(self, *, has_rebooted: bool) -> Started:
        trial: Trial = "none"
        if self.has_rootfs:
            if self.running == "B":
                trial = "running" if self.is_trial else "committed"
            elif self.why:
                trial = "rolled-back"
        return Started(has_rebooted, trial, self.why)

    def point(self) -> None:
        self.points += 1
        if self.points - 1 in self.cuts:
            raise Cut


def outcome(world: World) -> str:
    """OLD or NEW, if all parts of the device agree on it; else what they say."""
    parts = set()
    if world.has_rootfs:
        parts.add(world.slot[world.running])
        parts.add("old" if world.is_trial else world.slot[world.boots_next])
    if world.has_modules:
        parts.add(world.module)
    parts.add(world.provides)
    return parts.pop().upper() if len(parts) == 1 else f"MIXED {sorted(parts)}"


def again(world: World, **changes: object) -> World:
    """The same device, from the factory."""
    fresh = {"artifact", "is_standalone", "can_roll_back", "wants_reboot", "panics", "kills"}
    kept = {name: getattr(world, name) for name in fresh}
    return World(**{**kept, "fails": dict(world.fails), **changes})
