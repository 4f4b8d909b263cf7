# SPDX-License-Identifier: Apache-2.0
"""Reads an artifact, and has its payloads stored.

A byte's way: source, outer tar, decompressor, digest, slot; one pass, and nothing else on disk. The
decompressor is another process, without rights.
Nothing is written before the header is verified and known to be for this device, and what makes a
slot start is written when all of it is.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ota_agent.confined.unpacking import Confined
from ota_agent.download import DownloadOptions
from ota_agent.download.source import open_source
from ota_agent.download.source.retry import Changed, Surroundings
from ota_agent.errors import AgentError
from ota_agent.lifecycle.events import Fetched
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.payloads import Installer, checkpoint
from ota_agent.payloads.checkpoint import Checkpoint, Memory, Trail
from ota_artifact import reader
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.header import Header, Script
from ota_artifact.keys import PublicKey
from ota_artifact.reader import Head

if TYPE_CHECKING:
    import urllib3

    from ota_agent.download.source import ArtifactSource

logger = logging.getLogger(__name__)

_SPAN = 5.0  # [s] over which the speed is taken
_LEAST = 0.5  # [s] from which on there is a speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a fetch is.

    Attributes:
        artifact: its name.
        slot: that is being written, A or B; empty if none is.
        done: how much of the payload's file is stored [B].
        size: of that file; 0 if it is not known [B].
        read: how much of the artifact is read or need not be [B].
        total: of the artifact; 0 if it is not known [B].
        received: what has come through the network since the agent started [B].
        rate: how fast that is now [B/s].
        event: what has happened last that is worth telling, such as "resumed at 512 B after a lost
            connection"; empty if nothing has.
    """

    artifact: str = ""
    slot: str = ""
    done: int = 0
    size: int = 0
    read: int = 0
    total: int = 0
    received: int = 0
    rate: float = 0.0
    event: str = ""


class Pace:
    """The speed of what grows, over the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, received: int) -> float:
        """The speed [B/s], now that so much has come [B]; 0 while it is not known."""
        now = self._clock()
        self._seen.append((now, received))
        while now - self._seen[0][0] > _SPAN:
            self._seen.popleft()
        begun, before = self._seen[0]
        return float(round((received - before) / (now - begun))) if now - begun >= _LEAST else 0.0


class Fetch:
    """One fetch of an update's artifact; a new one continues at the checkpoint of the last.

    Args:
        options: how patient it is.
        pool: makes the connections to servers, if any are needed.
        memory: keeps the checkpoint.
        keys: one of them must have signed the artifact; none: anybody may.
        accept: raises an AgentError for the header of an artifact that may not be installed here;
            it also gets what a later look at the artifact needs.
        begin: makes what stores the payloads of an artifact, by their numbers.
        keep_head: takes the artifact's manifest, signature and header.
        store_scripts: takes the artifact's state scripts.
        progress: told how far it is, at least once for each MiB.
        surroundings: clock, sleep, chance, and whether to continue.
    """

    def __init__(
        self,
        update: Update,
        *,
        options: DownloadOptions,
        pool: Callable[[], "urllib3.PoolManager"],
        memory: Memory,
        keys: Sequence[PublicKey],
        accept: Callable[[Header, Artifact], None],
        begin: Callable[[Header, Trail], Mapping[int, Installer]],
        store_scripts: Callable[[tuple[Script, ...]], None],
        keep_head: Callable[[Head], None] = lambda head: None,
        progress: Callable[[Progress], None],
        surroundings: Surroundings,
    ) -> None:
        self._update, self._memory, self._keys = update, memory, keys
        self._accept, self._begin, self._store_scripts = accept, begin, store_scripts
        self._keep_head = keep_head
        self._progress, self._check = progress, surroundings.check
        self._confined = Confined(check=surroundings.check)
        self._pace = Pace(surroundings.clock)
        self._event = self._artifact_name = self._slot = ""
        self._trail: Trail | None = None
        self._is_storing = self._has_tried_again = False
        self._slot_size = 0
        self._attempts = 0
        self._shown = str(update.source)
        found, mine = checkpoint.recall(memory), (update.deployment, self._shown)
        is_same = found is not None and (found.deployment, found.source) == mine
        self._source = open_source(
            update.source,
            options,
            surroundings,
            pool=pool,
            tell=self._say,
            spent=found.spent if found and is_same else 0.0,
        )

    def run(self) -> Fetched:
        """Read the artifact, and store its payloads.

        Raises:
            AgentError: the artifact cannot be had, or is not for this device, or the slot fails.
            ArtifactError: it is damaged, or not signed by a key that we know.
            ProgramError, OSError: an update module fails.
        """
        with closing(self._source), closing(self._confined):
            while True:
                try:
                    fetched = self._attempt(self._source)
                    checkpoint.forget(self._memory)
                    return fetched
                except Changed as error:
                    self._say(f"{error}: starting afresh")
                except ArtifactError as error:
                    if self._is_storing:
                        checkpoint.forget(self._memory)
                    if not self._may_try_again():
                        raise
                    self._say(f"what was resumed is not right ({error}): starting afresh")
                except (AgentError, ProgramError, OSError):
                    with suppress(AgentError):
                        checkpoint.end(self._memory)
                    raise
                self._source.rewind()

    def _may_try_again(self) -> bool:
        """Whether the artifact may be right all the same: what was put together may not be.

        Once: what is wrong then is wrong at the source.
        """
        if self._has_tried_again or not self._source.can_rewind:
            return False
        is_resumed = self._trail is not None and self._trail.is_resumed
        self._has_tried_again = is_resumed or not self._source.is_whole
        return self._has_tried_again

    def _attempt(self, source: "ArtifactSource") -> Fetched:
        self._attempts, self._trail, self._is_storing = self._attempts + 1, None, False
        artifact = reader.open_artifact(source, keys=self._keys, decompress=self._confined)
        header = artifact.header
        self._artifact_name = header.artifact_name
        digest = hashlib.sha256(artifact.manifest.raw).hexdigest()
        described = _described(header, digest, artifact.signed_by)
        self._accept(header, described)
        origin = Checkpoint(
            deployment=self._update.deployment,
            source=self._shown,
            manifest=digest,
            total=source.size,
        )
        self._trail = Trail(
            memory=self._memory,
            origin=origin,
            is_again=self._attempts > 1,
            spent=lambda: source.spent,
            tell=self._say,
        )
        installers = self._begin(header, self._trail)  # before the first byte: one may be missing
        self._keep_head(artifact.take_head())
        self._store_scripts(header.scripts)
        self._slot = next((each.slot for each in installers.values() if each.slot), "")
        for payload in artifact.payloads():
            self._is_storing = True
            if payload.number in installers:
                installer = installers[payload.number]
                installer.store(payload, self._note_slot if installer.slot else self._note)
        if not artifact.is_checked:
            raise ArtifactError("artifact: was not read to its end, and is not checked")
        # The slot last: if another payload fails here, the slot still cannot be started.
        for installer in sorted(installers.values(), key=lambda each: bool(each.slot)):
            installer.finish()
        return Fetched(replace(described, size=self._slot_size), self._slot)

    def _note_slot(self, done: int, size: int) -> None:
        self._slot_size = size
        self._note(done, size)

    def _note(self, done: int, size: int) -> None:
        self._check()
        self._tell(done, size)

    def _tell(self, done: int = 0, size: int = 0) -> None:
        source = self._source
        self._progress(
            Progress(
                artifact=self._artifact_name,
                slot=self._slot,
                done=done,
                size=size,
                read=source.offset,
                total=source.size or 0,
                received=source.received,
                rate=self._pace.of(source.received),
                event=self._event,
            )
        )

    def _say(self, event: str) -> None:
        self._event = event
        logger.info("download: %s", event)
        self._tell()


def _described(header: Header, digest: str, signed_by: PublicKey | None) -> Artifact:
    provides: dict[str, str] = {}
    clears: list[str] = []
    for payload in header.payloads:
        provides |= payload.provides
        clears += payload.clears
    return Artifact(
        name=header.artifact_name,
        group=header.artifact_group or "",
        types=tuple(payload.type for payload in header.payloads),
        provides=provides,
        clears=tuple(clears),
        digest=digest,
        key=signed_by.id if signed_by else "",
    )
