# SPDX-License-Identifier: Apache-2.0
"""A download's surroundings in which waiting takes no time."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ota_agent.download.source.retry import Surroundings


@dataclass(kw_only=True)
class Time:
    """A clock that only sleeping moves.

    Attributes:
        now: [s].
        slept: each wait [s].
        aborted: raised when it is asked whether to continue.
        meanwhile: what happens while it sleeps.
    """

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    aborted: BaseException | None = None
    meanwhile: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.meanwhile()

    def check(self) -> None:
        if self.aborted:
            raise self.aborted

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(
            clock=lambda: self.now,
            now=lambda: self.now,
            sleep=self.sleep,
            random=lambda: 0.5,
            check=self.check,
        )
