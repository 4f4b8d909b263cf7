# SPDX-License-Identifier: Apache-2.0
"""Which deployments have failed: a server may offer one again and again.

It costs the data plan, the flash and a reboot each time, so that each further try waits twice as
long. Meanwhile the server is told the old reason. Nothing is written but when one ends.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Protocol

from ota_agent.errors import AgentError
from ota_agent.retry import doubled
from ota_artifact.json_text import parse_any

logger = logging.getLogger(__name__)

_NAME = "failed"
"""Of the value in the store."""

_WAIT = 1800.0, 86400.0  # [s] before it is tried again: after one failure, at most
_RETRIES = 3  # of an artifact under other names of the server's, before those wait as well
_KEPT = 8  # deployments
_LONGEST = 500  # characters of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A deployment that has failed.

    Attributes:
        artifact: its name; empty if it is not known.
        digest: SHA-256 of its manifest, in hex; empty if it is not known.
        count: how often it has failed.
        at: when it failed last [s since 1970].
    """

    deployment: str
    artifact: str
    reason: str
    count: int
    at: float
    digest: str = ""


class Memory(Protocol):
    """Small values that outlive a restart: `memory.store.Store`."""

    def text(self, name: str) -> str:
        """One of them."""
        ...

    def put(self, name: str, text: str) -> None:
        """Remember one."""
        ...


class Failures:
    """The last deployments that have failed.

    Args:
        clock: a time that never goes back [s].
        now: the time of the day [s since 1970].
    """

    def __init__(
        self,
        memory: Memory,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._memory, self._clock, self._now = memory, clock, now
        self._known = _read(memory.text(_NAME))
        # The clock of the day may be wrong after a boot: from now on the other one counts.
        began = clock()
        self._failed_at = {
            each.deployment: began - max(0.0, now() - each.at) for each in self._known
        }

    def note(self, deployment: str, artifact: str, reason: str, *, digest: str = "") -> None:
        """A deployment has failed. One that is told again while it has to wait is the same."""
        if self.held_digest(digest) is not None:
            return  # that is why it failed
        same = (each for each in self._known if each.deployment == deployment)
        old = next((each for each in same if each.artifact == artifact), None)
        if old is not None and self._left(old.count, self._failed_at[deployment]) > 0:
            return
        failure = Failure(
            deployment=deployment,
            artifact=artifact,
            reason=reason[:_LONGEST],
            count=old.count + 1 if old else 1,
            at=self._now(),
            digest=digest,
        )
        others = [each for each in self._known if each.deployment != deployment]
        self._failed_at[deployment] = self._clock()
        self._write((*others, failure)[-_KEPT:])

    def forget(self, deployment: str, artifact: str, *, digest: str = "") -> None:
        """It has succeeded, and what its artifact did before does not matter."""
        self._write(
            each
            for each in self._known
            if each.deployment != deployment
            and (not artifact or each.artifact != artifact)
            and (not digest or each.digest != digest)
        )

    def held(self, deployment: str, artifact: str) -> tuple[Failure, float] | None:
        """Why it is not to be tried now, and how long still [s]; None if it may be.

        Under another name of the server's, an operator wants another try, and gets it; a server
        that invents a name for each offer does not get it for ever.

        Args:
            artifact: its name; empty if the server does not say.
        """
        own = next((each for each in self._known if each.deployment == deployment), None)
        if own is not None and (not artifact or not own.artifact or own.artifact == artifact):
            left = self._left(own.count, self._failed_at[deployment])
            return (own, left) if left > 0 else None
        return self._held([each for each in self._known if artifact and each.artifact == artifact])

    def held_digest(self, digest: str) -> tuple[Failure, float] | None:
        """As `held`, for an artifact whose header was read, whatever the server calls it."""
        return self._held([each for each in self._known if digest and each.digest == digest])

    def _held(self, same: Sequence[Failure]) -> tuple[Failure, float] | None:
        """Why what has failed under other names waits now, and how long still [s]."""
        count = sum(each.count for each in same)
        if count < _RETRIES:
            return None
        last = same[-1]
        left = self._left(count - _RETRIES + 1, self._failed_at[last.deployment])
        return (replace(last, count=count), left) if left > 0 else None

    def _left(self, count: int, failed_at: float) -> float:
        return failed_at + doubled(*_WAIT, count) - self._clock()

    def _write(self, failures: Iterable[Failure]) -> None:
        known = tuple(failures)
        if known == self._known:
            return
        self._known = known
        try:
            self._memory.put(_NAME, json.dumps([asdict(each) for each in known]) if known else "")
        except AgentError as error:
            logger.warning("which deployments failed is not remembered: %s", error)


def _read(text: str) -> tuple[Failure, ...]:
    """What was remembered, as far as it can be read."""
    try:
        names = {each.name for each in fields(Failure)}
        found = [
            Failure(**{name: each[name] for name in names & each.keys()})
            for each in parse_any(text or "[]")
        ]
    except (ValueError, TypeError, AttributeError) as error:
        logger.error("which deployments failed is no longer known: %r", error)
        return ()
    return tuple(each for each in found if _is_sound(each))[-_KEPT:]


def _is_sound(each: Failure) -> bool:
    texts = (each.deployment, each.artifact, each.reason, each.digest)
    is_counted = type(each.count) is int and 0 < each.count < 1 << 30
    is_timed = isinstance(each.at, int | float) and math.isfinite(each.at)
    return all(isinstance(text, str) for text in texts) and is_counted and is_timed
