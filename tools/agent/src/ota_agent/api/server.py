# SPDX-License-Identifier: Apache-2.0
"""Serves the socket in its own thread, so that no client can hold up the daemon."""

import logging
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Self

from ota_agent.api import ApiOptions
from ota_agent.api.dispatch import answer
from ota_agent.api.listening import listen, uid_of_peer
from ota_agent.api.messages import error_line
from ota_agent.api.peer import Gone, Peer
from ota_agent.api.quota import Quota
from ota_agent.api.status import LiveStatus
from ota_agent.api.wake import Wake

logger = logging.getLogger(__name__)

_GOODBYE = 5.0  # [s] for the thread to end
_BREATH = 0.1  # [s] before the next try, when the system has no more files for us


class ApiServer:
    """The device API, from `start` to `stop`, or for a `with` block.

    Args:
        path: of the socket.
        live: what watchers see.
        targets: the first that has a call's method carries it out, in the thread of the server.
        clock: [s].
    """

    def __init__(
        self,
        path: Path,
        options: ApiOptions,
        live: LiveStatus,
        *targets: object,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._options = path, options
        self._live, self._targets = live, targets
        self._clock = clock
        self._peers: set[Peer] = set()
        self._quota = Quota()
        self._thread: Thread | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Listen, and answer from now on.

        Raises:
            AgentError: the socket cannot be made, or another agent has it.
        """
        self._listening = listen(self._path, self._options.group)
        self._wake = Wake()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening.socket, selectors.EVENT_READ)
        self._selector.register(self._wake.number, selectors.EVENT_READ)
        self._end_listening = self._live.listen(self._changed)
        self._is_stopping = False
        self._thread = Thread(target=self._serve, name="device API", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close all connections, and take the socket away."""
        if self._thread is None:
            return
        self._end_listening()
        self._is_stopping = True
        self._wake.up()
        self._thread.join(_GOODBYE)
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _changed(self) -> None:
        """In the thread that changed the status: wake ours, if a client may watch."""
        if self._peers:
            self._wake.up()

    def _serve(self) -> None:
        try:
            while not self._is_stopping:
                self._turn()
        except Exception:
            logger.exception("the device API has failed; the agent continues without it")
        finally:
            for peer in tuple(self._peers):
                self._leave(peer)
            self._listening.close()
            self._selector.close()
            self._wake.close()

    def _turn(self) -> None:
        for key, events in self._selector.select(self._patience()):
            if isinstance(key.data, Peer):
                self._attend(key.data, events)
            elif key.fd == self._wake.number:
                self._wake.slept()
            else:
                self._accept()
        number, status = self._live.read()
        now = self._clock()
        for peer in tuple(self._peers):
            with self._guard(peer):
                peer.check(now)
                peer.tell(number, status, now)

    def _patience(self) -> float | None:
        """How long the thread may sleep [s]; None: until something happens."""
        if not self._peers:
            return None
        number, _ = self._live.read()
        return max(0.0, min(each.deadline(number) for each in self._peers) - self._clock())

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            logger.warning("%s: no client can connect: %s", self._path, error.strerror)
            time.sleep(_BREATH)
            return
        uid = uid_of_peer(connection)
        is_root = uid in (0, os.geteuid())
        if refusal := self._refusal(is_root):
            with connection, suppress(OSError):
                connection.send(refusal, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            return
        now = self._clock()
        peer = Peer(socket=connection, uid=uid, is_root=is_root, since=now, quota=self._quota)
        self._peers.add(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)

    def _refusal(self, is_root: bool) -> bytes:
        if not is_root and not self._listening.has_group:
            return error_line("refused", "only root may use the device API; see api.group")
        others = sum(not each.is_root for each in self._peers)
        if len(self._peers) >= self._options.clients or (
            not is_root and others >= self._options.clients // 2
        ):
            return error_line("busy", "too many connections; close one, or try again later")
        return b""

    def _attend(self, peer: Peer, events: int) -> None:
        with self._guard(peer):
            if events & selectors.EVENT_WRITE:
                peer.flush(self._clock())
            if events & selectors.EVENT_READ:
                peer.read(self._clock())
            while (line := peer.next_line()) is not None:
                peer.send(answer(line, peer, self._live, *self._targets), self._clock())

    @contextmanager
    def _guard(self, peer: Peer) -> Iterator[None]:
        """Close the connection if it ends in this block, or if we fail at it."""
        try:
            yield
        except Gone:
            self._leave(peer)
        except Exception:
            logger.exception("the device API closes a connection")
            self._leave(peer)
        else:
            self._select(peer)

    def _leave(self, peer: Peer) -> None:
        if peer in self._peers:
            self._peers.remove(peer)
            self._selector.unregister(peer.socket)
            peer.socket.close()

    def _select(self, peer: Peer) -> None:
        """Wait for what can happen next: from a client that does not read, nothing is read."""
        wanted = selectors.EVENT_WRITE if peer.wants_to_write else selectors.EVENT_READ
        if peer in self._peers and self._selector.get_key(peer.socket).events != wanted:
            self._selector.modify(peer.socket, wanted, peer)
