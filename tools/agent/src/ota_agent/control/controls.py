# SPDX-License-Identifier: Apache-2.0
"""Holds updates up, or ends them: for the server, a user, or the clock."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Condition
from typing import Any, get_args

from ota_agent.control import ControlOptions
from ota_agent.control.maps import ControlMap, Rule, judged, parse, parse_text, to_json
from ota_agent.control.window import is_open, parse_window
from ota_agent.errors import Aborted, AgentError
from ota_agent.lifecycle.actions import PausePoint
from ota_agent.memory.store import Store
from ota_artifact.json_text import parse_any

logger = logging.getLogger(__name__)

_NAME = "control"
"""Of the value in the store."""

_LOOK = 60.0  # [s] until a wait looks at the clock again, at the latest


class Controls:
    """What holds updates up. Several threads may use it; what is set outlives a restart.

    Attributes:
        is_enabled: whether updates are installed at all.
        window: when updates may be installed; empty: always.
        beat: called wherever an update may wait.

    Args:
        clock: for the life of maps; it does not go back [s].
        now: local time.
    """

    def __init__(
        self,
        options: ControlOptions,
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._options, self._store, self._clock, self._now = options, store, clock, now
        self._changed = Condition()
        self._version = 0
        self._abort = ""
        self._refused: float | None = None
        self._maps: dict[tuple[str, int], ControlMap] = {}
        self._pauses: set[PausePoint] = set()
        self._holds: set[PausePoint] = set()
        self._held_since: dict[PausePoint, float] = {}
        self.beat: Callable[[], None] = lambda: None
        self.is_enabled, self.window = options.enabled, options.window
        parse_window(options.window)
        self._recall()

    def set_map(self, text: str) -> int:
        """Take a map from the device's side; gives when to send it again [s].

        One without rules takes the one of the same id and priority away.

        Raises:
            AgentError: it is not a map, or cannot be remembered.
        """
        found = parse_text(text)
        with self._changed:
            self._put(found)
            self._remember()
        return int(self._options.expiry / 2)

    def set_server_map(self, deployment: str, value: object | None) -> None:
        """Take the map that the server gives for a deployment; None: it gives none.

        A value that is not a map fails the update before its next state, so that the server learns
        of it: nobody knows what it wanted.
        """
        try:
            found = parse(value, deployment=deployment) if value is not None else None
        except AgentError as error:
            logger.error("deployment %s: %s; it fails", deployment, error)
            rules = dict.fromkeys(get_args(PausePoint), Rule("fail", "fail", "fail"))
            found = ControlMap(id=deployment, rules=rules, is_server=True)
        with self._changed:
            self._maps = {key: each for key, each in self._maps.items() if not each.is_server}
            if found:
                self._put(found)
            self._try_to_remember()

    def pause(self, before: PausePoint) -> None:
        """Have updates wait before a state.

        Raises:
            AgentError: they cannot be paused there.
        """
        if before not in get_args(PausePoint):
            raise AgentError(f"{before!r} is not one of {', '.join(get_args(PausePoint))}")
        with self._changed:
            if before not in self._pauses:
                self._pauses.add(before)
                self._remember()

    def hold(self, before: PausePoint) -> None:
        """Have updates wait before a state, for a user who is not root.

        Nothing is written. It ends with the agent, and once it has held an update for
        `ControlOptions.hold`; holding the same update there again does not make it longer.
        """
        with self._changed:
            if before not in self._holds:
                self._holds.add(before)
                self._announce()

    def go_on(self) -> None:
        """End what `pause` and `hold` began: what waits continues."""
        with self._changed:
            self._pauses.clear()
            self._holds.clear()
            self._remember()

    def release(self) -> None:
        """End what `hold` began.

        Raises:
            AgentError: root has paused updates, too.
        """
        with self._changed:
            if self._holds:
                self._holds.clear()
                self._announce()
            if self._pauses:
                raise AgentError("root has paused updates, and only root may continue them")

    def count_refusal(self) -> None:
        """Let a user who is not root abort an update, but not one after the other.

        Otherwise any member of the group could keep a device on its release for ever.

        Raises:
            AgentError: one was aborted so within `ControlOptions.hold`.
        """
        with self._changed:
            now, hold = self._clock(), self._options.hold
            if self._refused is not None and now - self._refused < hold:
                left = hold - (now - self._refused)
                raise AgentError(
                    "a user who is not root has aborted an update already; only root may abort"
                    f" another one within {left:.0f} s"
                )
            self._refused = now

    def abort(self, reason: str) -> None:
        """End the update that is under way."""
        with self._changed:
            if not self._abort:
                self._abort = reason or "aborted by a user"
                self._announce()

    def set_enabled(self, is_enabled: bool) -> None:
        """Whether updates are installed at all."""
        with self._changed:
            if is_enabled != self.is_enabled:
                self.is_enabled = is_enabled
                self._remember()

    def set_window(self, window: str) -> None:
        """When updates may be installed; empty: always.

        Raises:
            AgentError: it is not a window.
        """
        parse_window(window)
        with self._changed:
            if window != self.window:
                self.window = window
                self._remember()

    def check(self) -> None:
        """Pass while nobody has aborted the update.

        Raises:
            Aborted: the server or a user has.
        """
        self.beat()
        if self._abort:
            raise Aborted(self._abort)

    def clear(self) -> None:
        """The update is over: forget who aborted it, the server's maps, and what has expired."""
        with self._changed:
            self._abort = ""
            self._held_since.clear()
            kept = {
                key: each
                for key, each in self._maps.items()
                if not each.is_server and self._clock() < each.ends
            }
            if kept != self._maps:
                self._maps = kept
                self._try_to_remember()

    def wait(self, delay: float) -> None:
        """Wait for some seconds, less if something changes here [s]."""
        with self._changed:
            if not self._abort:
                self._wait_for_change(self._version, delay)

    def wait_while_paused(
        self,
        before: PausePoint,
        *,
        refresh: Callable[[], None],
        paused: Callable[[PausePoint, str], None],
    ) -> None:
        """Return once nobody has the update wait before a state.

        Args:
            refresh: asks the server for its map; that it cannot be reached leaves the old one.
            paused: told once when it begins to wait, and by whom: device, server, window,
                disabled.

        Raises:
            Aborted: a map says ``fail``, or the update is aborted.
        """
        is_told, due = False, self._clock()
        while True:
            self.check()
            with self._changed:
                has_server_map = any(each.is_server for each in self._maps.values())
            if has_server_map and self._clock() >= due:
                try:
                    refresh()
                except Aborted:
                    raise
                except AgentError as error:
                    logger.warning("pause: the server's control map is not refreshed: %s", error)
                due = self._clock() + self._options.refresh
            with self._changed:
                by, version, patience = self._who(before), self._version, self._patience()
            if not by:
                return
            if not is_told:
                logger.info("paused before %s by the %s", before, by)
                paused(before, by)
                is_told = True
            self._wait_for_change(version, patience)

    def _wait_for_change(self, version: int, seconds: float) -> None:
        """Wait, but not if something has changed since that version."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, seconds)

    def _who(self, before: PausePoint) -> str:
        """What has it wait: device, server, disabled, window; empty: nothing."""
        verdict, after = judged(self._maps.values(), before, self._clock())
        if verdict == "fail":
            raise Aborted(f"an update control map does not allow {before}")
        changed = {(each.id, each.priority): each for each in after}
        if changed != self._maps:
            self._maps = changed
            self._try_to_remember()
        if verdict == "pause":
            pausing = [each for each in after if each.rules.get(before, Rule()).action == "pause"]
            return "server" if any(each.is_server for each in pausing) else "device"
        if before in self._pauses or self._is_held(before):
            return "device"
        if before == "ArtifactInstall" and not self.is_enabled:
            return "disabled"
        if before == "ArtifactInstall" and not is_open(parse_window(self.window), self._now()):
            return "window"
        return ""

    def _is_held(self, before: PausePoint) -> bool:
        """Whether a user who is not root has it wait; that has an end."""
        if before not in self._holds:
            return False
        since = self._held_since.setdefault(before, self._clock())
        if self._clock() - since < self._options.hold:
            return True
        self._holds.discard(before)
        logger.warning(
            "the pause before %s by a user who is not root ends after %g s",
            before,
            self._options.hold,
        )
        return False

    def _patience(self) -> float:
        """Until it is looked at again [s]: the window's edge, or the end of a map."""
        ends = [each.ends - self._clock() for each in self._maps.values()]
        return max(0.0, min([_LOOK, self._options.refresh, *(each for each in ends if each > 0)]))

    def _put(self, found: ControlMap) -> None:
        key = (found.id, found.priority)
        self._maps.pop(key, None)
        if found.rules:
            self._maps[key] = replace(found, ends=self._clock() + self._options.expiry)

    def _remember(self) -> None:
        """Wake the threads that wait, and write all of it.

        Raises:
            AgentError: no space, or the disk fails; it holds until a restart.
        """
        self._announce()
        maps = [
            {"map": to_json(each), "server": each.is_server, "over": self._clock() >= each.ends}
            for each in self._maps.values()
        ]
        found: dict[str, Any] = {"maps": maps, "pauses": sorted(self._pauses)}
        if self.is_enabled != self._options.enabled:
            found["enabled"] = self.is_enabled
        if self.window != self._options.window:
            found["window"] = self.window
        is_empty = not maps and not self._pauses and len(found) == 2
        text = "" if is_empty else json.dumps(found)
        if text != self._store.text(_NAME):
            self._store.put(_NAME, text)

    def _try_to_remember(self) -> None:
        """As `_remember`; a full disk does not stop an update."""
        try:
            self._remember()
        except AgentError as error:
            logger.warning("what holds updates up is not kept over a restart: %s", error)

    def _announce(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _recall(self) -> None:
        text = self._store.text(_NAME)
        if not text:
            return
        try:
            found = parse_any(text)
            if not isinstance(found, dict):
                raise TypeError("it is not an object")
        except (ValueError, TypeError) as error:
            logger.error("what held updates up is no longer known: %r", error)
            return
        for take in (self._recall_pauses, self._recall_enabled, self._recall_window):
            self._try_to_recall(take, found)
        maps = found.get("maps")
        for each in maps if isinstance(maps, list) else ():
            self._try_to_recall(self._recall_map, each)

    def _try_to_recall(self, take: Callable[[Any], None], found: Any) -> None:
        """Take one thing; that it is damaged does not keep the others from it."""
        try:
            take(found)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
            AgentError,
        ) as error:
            logger.error("of what held updates up, something is no longer known: %r", error)

    def _recall_pauses(self, found: dict[str, Any]) -> None:
        self._pauses = {each for each in found["pauses"] if each in get_args(PausePoint)}

    def _recall_enabled(self, found: dict[str, Any]) -> None:
        value = found.get("enabled", self.is_enabled)
        if not isinstance(value, bool):
            raise TypeError(f"enabled is {value!r}")
        self.is_enabled = value

    def _recall_window(self, found: dict[str, Any]) -> None:
        window = found.get("window", self.window)
        parse_window(window)
        self.window = window

    def _recall_map(self, found: dict[str, Any]) -> None:
        deployment = found["map"]["id"] if found["server"] else ""
        one = parse(found["map"], deployment=deployment)
        life = 0.0 if found["over"] else self._options.boot_expiry
        self._maps[one.id, one.priority] = replace(one, ends=self._clock() + life)
