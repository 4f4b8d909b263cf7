# SPDX-License-Identifier: Apache-2.0
"""The bridge's connection to the device API; it reconnects by itself."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ota_agent.api.client import NoAgent
from ota_agent.api.messages import HEARTBEAT, LONGEST, Wrong, parse_answer, request_line
from ota_agent.api.status import Status, from_json
from ota_agent.errors import AgentError

logger = logging.getLogger(__name__)

_PATIENCE = 15.0  # [s] for an answer
_AGAIN = 0.5  # [s] between attempts to connect
_SILENCE = HEARTBEAT * 2  # [s] for the next line


class Link:
    """A connection to the agent; when it ends, a new one is made.

    Args:
        changed: gets each new status, and None when the agent has gone.
    """

    def __init__(self, path: Path, changed: Callable[[Status | None], None]) -> None:
        self._path, self._changed = path, changed
        self._writer: asyncio.StreamWriter | None = None
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._is_known = asyncio.Event()

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        while True:
            try:
                await self._talk()
            except (OSError, AgentError, ValueError, TimeoutError) as error:
                logger.debug("%s: %s", self._path, error)
            finally:
                self._let_go()
            await asyncio.sleep(_AGAIN)

    async def wait_until_known(self, timeout: float) -> None:
        """Wait for the first status, or until connecting has failed.

        Args:
            timeout: [s].
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_known.wait(), timeout)

    async def ask(self, call: str, **arguments: Any) -> Any:
        """Send one request; gives its result.

        Args:
            arguments: of the call, and `ASKER` if it is for another user.

        Raises:
            NoAgent: none serves there.
            AgentError: it refuses, fails, or does not answer.
        """
        if self._writer is None:
            raise NoAgent(f"{self._path}: no agent serves there; start it with: ota-agent daemon")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._writer.write(request_line(call, arguments))
        try:
            return await asyncio.wait_for(answer, _PATIENCE)
        except TimeoutError as error:
            raise AgentError(
                f"{self._path}: the agent does not answer; is the device very busy?"
            ) from error

    async def _talk(self) -> None:
        reader, writer = await asyncio.open_unix_connection(str(self._path), limit=4 * LONGEST)
        self._writer = writer
        watching = asyncio.ensure_future(self.ask("watch"))
        try:
            while line := await asyncio.wait_for(reader.readline(), _SILENCE):
                self._hear(line)
        finally:
            watching.cancel()

    def _hear(self, line: bytes) -> None:
        try:
            answer = parse_answer(line)
        except Wrong as error:
            if self._asked:
                _settle(self._asked.popleft(), error)
            return
        if "status" in answer:
            self._changed(from_json(answer["status"]))
            self._is_known.set()
        elif self._asked:
            _settle(self._asked.popleft(), answer["result"])

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._changed(None)
        while self._asked:
            _settle(self._asked.popleft(), AgentError(f"{self._path}: the agent has ended"))
        self._is_known.set()


def _settle(answer: "asyncio.Future[Any]", found: Any) -> None:
    """Settle a request, unless its caller has stopped waiting."""
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
        answer.exception()  # mark it as read: the caller may have gone
    else:
        answer.set_result(found)
