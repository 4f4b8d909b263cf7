# SPDX-License-Identifier: Apache-2.0
"""How far a slot is written: what a download needs to continue after a restart."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from ota_agent.device.slots import Slot
from ota_agent.errors import AgentError
from ota_agent.payloads.slot_writer import HEAD, hash_of_slot
from ota_artifact.compression import Restart
from ota_artifact.json_text import parse_any
from ota_artifact.payload import Mark, Payload

logger = logging.getLogger(__name__)

NAME = "checkpoint"
"""Of the value in the store."""

FORMAT = 1
"""Of the record; another one is not read."""


class Memory(Protocol):
    """Stores short texts by name, durably; an empty text means unset."""

    def text(self, name: str) -> str: ...
    def put(self, name: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far one payload of one artifact was written to one slot; on the disk, and synced.

    The artifact is known again by what is signed and by its length, not by its address, which a
    server may sign again each time.

    Attributes:
        deployment: the server's name for the update; empty if a user asked for it.
        source: its address as it is shown, without the query that signs it.
        manifest: sha256 of the artifact's manifest [hex].
        total: length of the artifact [B]; None if it was not known.
        number: of the payload.
        offset: where its tar begins in the artifact [B].
        size: of its tar, as stored [B].
        slot: A or B.
        written: how much of the payload's file is in the slot, its head aside [B].
        mark: where the stream can continue; None if it has no boundary so far.
        spent: how long the download has taken so far [s].
    """

    deployment: str
    source: str
    manifest: str
    total: int | None
    number: int = 0
    offset: int = 0
    size: int = 0
    slot: str = ""
    written: int = 0
    mark: Mark | None = None
    spent: float = 0.0

    def is_of(self, other: "Checkpoint") -> bool:
        """Whether the other one is of the same payload of the same artifact, in the same slot."""
        mine = self.manifest, self.number, self.offset, self.size, self.slot
        its = other.manifest, other.number, other.offset, other.size, other.slot
        return mine == its and (None in (self.total, other.total) or self.total == other.total)


@dataclass(slots=True, kw_only=True)
class Trail:
    """The checkpoints of an artifact on its way into a slot.

    Attributes:
        memory: keeps the last one.
        origin: where they all begin: a checkpoint in no slot yet.
        is_again: the same process has begun with the artifact before.
        spent: gives how long the download has taken so far [s].
        tell: told where a payload continues, or why it begins at byte 0.
        is_resumed: a payload continued at a checkpoint.
    """

    memory: Memory
    origin: Checkpoint
    is_again: bool
    spent: Callable[[], float]
    tell: Callable[[str], None]
    is_resumed: bool = False

    def resume(self, payload: Payload, slot: Slot) -> bytes:
        """Have a payload continue at the checkpoint, if it is of it, and the slot is as it says.

        The slot's head was held back, and is read from the payload once more; gives it if the
        payload continues behind it, else nothing.

        Raises:
            AgentError: the slot cannot be read, or the checkpoint not be dropped.
            ArtifactError: the payload has no such place.
        """
        found = recall(self.memory)
        if found is None:
            return b""
        if not found.is_of(self._beginning(payload, slot)):
            is_changed = found.manifest != self.origin.manifest
            if found.source == self.origin.source and is_changed:
                self.tell("the file has changed since it was begun: starting afresh")
            forget(self.memory)
            return b""
        if found.mark is None:
            self.tell("the stream has no boundaries: starting at byte 0, writing only what differs")
            return b""
        head = payload.read_ahead(HEAD) if found.mark.done > HEAD else b""
        if not head or payload.is_ahead_of(found.mark):
            self.tell("little was written: starting at byte 0, writing only what differs")
            return b""
        digest = hash_of_slot(slot.node, found.mark.done, head)
        if digest.hexdigest() != found.mark.sha256:
            self.tell(f"slot {slot.name} does not hold what was written to it: starting afresh")
            forget(self.memory)
            return b""
        payload.resume(found.mark, digest)
        self.is_resumed = True
        at = payload.offset + found.mark.restart.read
        self.tell(
            f"resumed at {at} B, up to where the slot is written"
            if self.is_again
            else f"resumed after a restart at {at} B"
        )
        return head

    def remember(self, payload: Payload, slot: Slot, written: int, mark: Mark | None) -> None:
        """Keep a checkpoint until the next one, or until it is forgotten."""
        try:
            here = self._beginning(payload, slot)
            _put(self.memory, replace(here, written=written, mark=mark, spent=self.spent()))
        except AgentError as error:  # it only costs time, and that only after a restart
            logger.warning("download: no checkpoint: %s", error)

    def _beginning(self, payload: Payload, slot: Slot) -> Checkpoint:
        return replace(
            self.origin,
            number=payload.number,
            offset=payload.offset,
            size=payload.size,
            slot=slot.name,
        )


def end(memory: Memory) -> None:
    """The download has failed: another one may continue there, with a time of its own.

    Raises:
        AgentError: it cannot be written.
    """
    found = recall(memory)
    if found is not None:
        _put(memory, replace(found, spent=0.0))


def forget(memory: Memory) -> None:
    """Keep none.

    Raises:
        AgentError: it cannot be written.
    """
    if memory.text(NAME):
        memory.put(NAME, "")


def recall(memory: Memory) -> Checkpoint | None:
    """The last one that was remembered; None if there is none, or it is not understood."""
    text = memory.text(NAME)
    if not text:
        return None
    try:
        found: dict[str, Any] = parse_any(text)
        if found.pop("format") != FORMAT:
            raise ValueError("another format")
        mark = found.pop("mark")
        if mark is not None:
            mark = Mark(**{**mark, "restart": Restart(**mark["restart"])})
        return Checkpoint(**found, mark=mark)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("download: the checkpoint cannot be read (%r): starting afresh", error)
        return None


def _put(memory: Memory, checkpoint: Checkpoint) -> None:
    memory.put(NAME, json.dumps({"format": FORMAT, **asdict(checkpoint)}))
