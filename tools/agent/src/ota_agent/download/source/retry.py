# SPDX-License-Identifier: Apache-2.0
"""When a download is tried again, and when it is given up."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from ota_agent.download import DownloadOptions
from ota_agent.errors import AgentError
from ota_agent.retry import doubled, spread

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
"""Told of what an operator wants to know, such as that a lost connection was resumed."""

_SLICE = 1.0  # [s] after which a wait looks whether to continue
_SPREAD = 0.25  # of a delay, more or less


class Changed(AgentError):
    """What the server has is another file now, or one cannot tell: it begins again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a download has around it, apart from the network.

    Attributes:
        clock: a time that never goes back [s].
        now: the time of the day [s since 1970]: a server may name one.
        sleep: waits for some seconds [s].
        random: a number from 0 up to 1.
        check: raises if the download is no longer wanted.
        is_by_hand: a user has given the address, and may correct it; in place of the address that a
            server gives, a captive portal may answer.
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.SystemRandom().random
    check: Callable[[], None] = lambda: None
    is_by_hand: bool = False


class Patience:
    """Two budgets: one for the time without a new byte, one for all of it.

    Args:
        what: is downloaded, for messages.
        spent: of the second budget, before [s].
    """

    def __init__(
        self,
        what: str,
        options: DownloadOptions,
        surroundings: Surroundings,
        *,
        spent: float = 0.0,
    ) -> None:
        self._what, self._options, self._around = what, options, surroundings
        self._begun = surroundings.clock() - spent
        self._progress = surroundings.clock()
        self._retries = 0

    @property
    def spent(self) -> float:
        """How long the download has taken so far [s]."""
        return self._around.clock() - self._begun

    @property
    def left(self) -> float:
        """How long the next byte may take [s]."""
        now = self._around.clock()
        without = self._options.no_progress - (now - self._progress)
        return max(0.0, min(without, self._options.total - (now - self._begun)))

    def progressed(self) -> None:
        """A new byte has come.

        Raises:
            AgentError: the budget for all of it is used up.
        """
        self._progress, self._retries = self._around.clock(), 0
        self.require_total()

    def wait(self, why: str, asked: float | None = None) -> None:
        """Wait before the next try.

        Args:
            why: the last one failed.
            asked: how long the server wants us to wait [s]; that is not counted as time without
                progress.

        Raises:
            AgentError: a budget is used up; the text has ``why``.
        """
        self.require_total(why)
        without = self._around.clock() - self._progress
        if without >= self._options.no_progress:
            raise AgentError(
                f"{self._what}: not one new byte for {without:.0f} s: {why}; what is in the slot"
                " is kept: check the network and the server, and install it again"
            )
        delay = self._delay(asked)
        logger.warning("%s: %s; trying again in %.1f s", self._what, why, delay)
        self._progress += min(delay, asked or 0.0)
        self._sleep(delay)

    def require_total(self, why: str = "it continues, but too slowly") -> None:
        """Pass while there is time left for all of it.

        Raises:
            AgentError: there is none; the text has ``why``.
        """
        if self.spent >= self._options.total:
            raise AgentError(
                f"{self._what}: not done after {self.spent:.0f} s: {why}; give it more time"
                " (download.total), or make the artifact smaller"
            )

    def _delay(self, asked: float | None) -> float:
        options = self._options
        self._retries += 1
        return spread(
            doubled(options.first_delay, options.longest_delay, self._retries),
            share=_SPREAD,
            chance=self._around.random(),
            asked=min(asked or 0.0, options.longest_retry_after),
        )

    def _sleep(self, seconds: float) -> None:
        end = self._around.clock() + seconds
        while (left := end - self._around.clock()) > 0:
            self._around.check()
            self._around.sleep(min(left, _SLICE))
        self._around.check()
