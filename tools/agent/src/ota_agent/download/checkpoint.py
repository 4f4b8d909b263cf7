# SPDX-License-Identifier: Apache-2.0
"""How far a slot is written: what a download needs to go on after a restart."""

import json
import logging
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from ota_artifact.compression import Restart
from ota_artifact.payload import Mark, Payload

logger = logging.getLogger(__name__)

NAME = "checkpoint"
"""Of the value in the store."""

FORMAT = 1
"""Of the record; another one is not read."""


class Memory(Protocol):
    """Keeps small texts by name, durably; an empty one is none."""

    def text(self, name: str) -> str: ...
    def put(self, name: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far one payload of one artifact was written to one slot; on the disk, and synced.

    The artifact is known again by what is signed and by its length, not by its address, which a
    server may sign anew each time.

    Attributes:
        deployment: the server's name for the update; empty if a person asked for it.
        source: its address as it is shown, without the query that signs it.
        manifest: sha256 of the artifact's manifest [hex].
        total: length of the artifact [B]; None if it was not known.
        number: of the payload.
        offset: where its tar begins in the artifact [B].
        size: of its tar, as stored [B].
        slot: A or B.
        written: how much of the payload's file is in the slot [B].
        mark: where the stream can go on; None if it has no boundary so far.
        spent: how long the download has taken so far [s].
    """

    deployment: str
    source: str
    manifest: str
    total: int | None
    number: int
    offset: int
    size: int
    slot: str
    written: int
    mark: Mark | None
    spent: float

    def is_of(self, manifest: str, total: int | None, slot: str) -> bool:
        """Whether it is of that artifact, and of that slot."""
        same_length = None in (self.total, total) or self.total == total
        return self.manifest == manifest and self.slot == slot and same_length

    def fits(self, payload: Payload) -> bool:
        """Whether it is of that payload."""
        mine, its = (self.number, self.offset, self.size), (payload.number, payload.offset)
        return mine == (*its, payload.size)


def remember(memory: Memory, checkpoint: Checkpoint) -> None:
    """Keep it until the next one, or until it is forgotten.

    Raises:
        AgentError: it cannot be written.
    """
    memory.put(NAME, json.dumps({"format": FORMAT, **asdict(checkpoint)}))


def end(memory: Memory) -> None:
    """The download has failed: another one may go on there, with a time of its own.

    Raises:
        AgentError: it cannot be written.
    """
    found = recall(memory)
    if found is not None:
        remember(memory, replace(found, spent=0.0))


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
        found: dict[str, Any] = json.loads(text)
        if found.pop("format") != FORMAT:
            raise ValueError("another format")
        mark = found.pop("mark")
        if mark is not None:
            mark = Mark(**{**mark, "restart": Restart(**mark["restart"])})
        return Checkpoint(**found, mark=mark)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning("download: the checkpoint cannot be read (%r): starting afresh", error)
        return None
