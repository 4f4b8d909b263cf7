# SPDX-License-Identifier: Apache-2.0
"""Reads an artifact, and stores its payloads: a root filesystem in the passive slot.

A byte's way: source, outer tar, decompressor, digest, slot; one pass, and nothing else on disk.
Nothing is written before the header is verified and known to be for this device.
"""

import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ota_agent.admission.acceptance import check_acceptance
from ota_agent.device.slots import Slot
from ota_agent.download import checkpoint
from ota_agent.download.checkpoint import Checkpoint, Memory
from ota_agent.download.source import ArtifactSource, open_source
from ota_agent.download.source.options import DownloadOptions
from ota_agent.download.source.retry import Changed, Surroundings
from ota_agent.errors import AgentError
from ota_agent.lifecycle.events import Fetched
from ota_agent.lifecycle.update import ROOTFS, Artifact, Update
from ota_agent.payloads import Installer
from ota_agent.payloads.slot_writer import digest_of_slot, hash_of_slot, write_slot
from ota_artifact import reader
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.header import Header, Script
from ota_artifact.keys import PublicKey
from ota_artifact.payload import Mark, Payload, PayloadFile

if TYPE_CHECKING:
    import urllib3

logger = logging.getLogger(__name__)

_TOLD_EVERY = 10  # [%]


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
    event: str = ""


class ScriptStore(Protocol):
    """Keeps the artifact's state scripts."""

    def store(self, scripts: tuple[Script, ...]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchParts:
    """What a fetch works with.

    Attributes:
        options: how patient it is.
        pool: makes the connections to servers, if any are needed.
        store: keeps the checkpoint.
        keys: one of which must have signed the artifact; none: whoever did.
        device_type: of this device.
        provides: what this device provides.
        scripts: takes the artifact's state scripts.
        installer: makes the one that stores a payload which is no root filesystem, by the
            artifact's header and the payload's number.
        target: gives the slot for a root filesystem, or raises if none may be written; None if
            this device has no slots.
        progress: told how far it is, at least once for each MiB.
        surroundings: clock, sleep, chance, and whether it shall go on.
        accept: raises an AgentError for a header that is not wanted for another reason.
    """

    options: DownloadOptions
    pool: Callable[[], "urllib3.PoolManager"]
    store: Memory
    keys: Sequence[PublicKey]
    device_type: str
    provides: Mapping[str, str]
    scripts: ScriptStore
    installer: Callable[[Header, int], Installer]
    target: Callable[[], Slot] | None
    progress: Callable[[Progress], None] = lambda progress: None
    surroundings: Surroundings = field(
        default_factory=lambda: Surroundings(
            clock=time.monotonic,
            now=time.time,
            sleep=time.sleep,
            random=random.SystemRandom().random,
        )
    )
    accept: Callable[[Header], None] = lambda header: None


def fetch(update: Update, parts: FetchParts) -> Fetched:
    """Read the artifact of an update and store its payloads.

    A fetch that was interrupted, by whatever, goes on at its checkpoint.

    Raises:
        AgentError: the artifact cannot be had, or is not for this device, or the slot fails.
        ArtifactError: it is damaged, or signed by nobody whom we know.
        ProgramError, OSError: an update module fails.
    """
    return _Fetch(update, parts).run()


class _Fetch:
    """One fetch, with what is known while it runs."""

    def __init__(self, update: Update, parts: FetchParts) -> None:
        self._update, self._parts = update, parts
        self._event = self._artifact_name = self._slot_name = ""
        self._is_resumed = self._is_storing = False
        self._attempts, self._has_tried_again = 0, False
        self._shown = str(update.source)
        found = checkpoint.recall(parts.store)
        is_same = found is not None and (found.deployment, found.source) == (
            update.deployment,
            self._shown,
        )
        self._source = open_source(
            update.source,
            parts.options,
            parts.surroundings,
            pool=parts.pool,
            tell=self._say,
            spent=found.spent if found and is_same else 0.0,
        )

    def run(self) -> Fetched:
        with closing(self._source):
            while True:
                try:
                    fetched = self._attempt(self._source)
                    checkpoint.forget(self._parts.store)
                    return fetched
                except Changed as error:
                    self._say(f"{error}: starting afresh")
                except ArtifactError as error:
                    if self._is_storing:
                        checkpoint.forget(self._parts.store)
                    if not self._may_try_again():
                        raise
                    self._say(f"what was resumed is not right ({error}): starting afresh")
                except (AgentError, ProgramError, OSError):
                    with suppress(AgentError):
                        checkpoint.end(self._parts.store)
                    raise
                self._source.rewind()

    def _may_try_again(self) -> bool:
        """Whether the artifact may be right all the same: what was put together may not be.

        Once: what is wrong then is wrong at the source.
        """
        if self._has_tried_again or not self._source.can_rewind:
            return False
        self._has_tried_again = self._is_resumed or not self._source.is_whole
        return self._has_tried_again

    def _attempt(self, source: ArtifactSource) -> Fetched:
        parts = self._parts
        self._is_storing = self._is_resumed = False
        self._attempts += 1
        artifact = reader.open_artifact(source, keys=parts.keys)
        header = artifact.header
        self._artifact_name = header.artifact_name
        check_acceptance(header, parts.device_type, parts.provides)
        parts.accept(header)
        target = self._target(artifact)
        parts.scripts.store(header.scripts)
        installers = {  # before the first byte: one may be missing
            number: parts.installer(header, number)
            for number, each in enumerate(header.payloads)
            if each.type not in (None, ROOTFS)
        }
        for payload in artifact.payloads():
            self._is_storing = True
            if target is not None and payload.header.type == ROOTFS:
                self._store_slot(payload, target, _digest(artifact.manifest.raw))
            elif payload.number in installers:
                installers[payload.number].store(payload, self._told_of_payload)
        if not artifact.is_checked:
            raise ArtifactError("artifact: was not read to its end, and is not checked")
        return Fetched(_described(header), target.name if target else "")

    def _target(self, artifact: reader.Artifact) -> Slot | None:
        """The slot that is to be written, if any is; what cannot be installed is refused."""
        name = artifact.header.artifact_name
        count = sum(each.type == ROOTFS for each in artifact.header.payloads)
        if not count:
            return None
        if count > 1:
            raise AgentError(
                f"artifact {name}: holds {count} root filesystems, and there is one slot for them;"
                " write an artifact of each"
            )
        if self._parts.target is None:
            raise AgentError(
                f"artifact {name}: holds a root filesystem, and this device has no slots"
            )
        target = self._parts.target()
        self._slot_name = target.name
        return target

    def _store_slot(self, payload: Payload, target: Slot, manifest: str) -> None:
        self._resume(payload, target, manifest)
        for file in payload.files():
            self._write(payload, file, target, manifest)

    def _resume(self, payload: Payload, target: Slot, manifest: str) -> None:
        """Have the payload go on at the checkpoint, if it is of it, and the slot is as it says."""
        found, store = checkpoint.recall(self._parts.store), self._parts.store
        if found is None:
            return
        if not found.is_of(manifest, self._source.size, target.name) or not found.fits(payload):
            if found.source == self._shown and found.manifest != manifest:
                self._say("the file has changed since it was begun: starting afresh")
            checkpoint.forget(store)
            return
        if found.mark is None:
            self._say("the stream has no boundaries: starting at byte 0, writing only what differs")
            return
        digest = hash_of_slot(target.node, found.mark.done)
        if digest.hexdigest() != found.mark.sha256:
            self._say(f"slot {target.name} does not hold what was written to it: starting afresh")
            checkpoint.forget(store)
            return
        payload.resume(found.mark, digest)
        self._is_resumed = True
        at = payload.offset + found.mark.restart.read
        self._say(
            f"resumed at {at} B, up to where the slot is written"
            if self._attempts > 1
            else f"resumed after a restart at {at} B"
        )

    def _write(self, payload: Payload, file: PayloadFile, target: Slot, manifest: str) -> None:
        options, told = self._parts.options, _Tenths(target.name, file.start, file.size)

        def progress(done: int) -> None:
            told.note(done)
            self._tell(done, file.size)

        def synced(done: int) -> None:
            mark = file.mark if file.mark and file.mark.done <= done else None
            self._remember(payload, target, manifest, done, mark)

        write_slot(
            self._watched(file.chunks()),
            target.node,
            file.size,
            start=file.start,
            is_comparing=options.is_comparing,
            progress=progress,
            synced=synced,
            sync_bytes=options.checkpoint_bytes,
            sync_interval=options.checkpoint_interval,
            clock=self._parts.surroundings.clock,
        )
        if options.is_reading_back:
            _require_equal(target, file)

    def _remember(
        self, payload: Payload, target: Slot, manifest: str, written: int, mark: Mark | None
    ) -> None:
        point = Checkpoint(
            deployment=self._update.deployment,
            source=self._shown,
            manifest=manifest,
            total=self._source.size,
            number=payload.number,
            offset=payload.offset,
            size=payload.size,
            slot=target.name,
            written=written,
            mark=mark,
            spent=self._source.spent,
        )
        try:
            checkpoint.remember(self._parts.store, point)
        except AgentError as error:  # it only costs time, and that only after a restart
            logger.warning("download: no checkpoint: %s", error)

    def _watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._parts.surroundings.check()
            yield chunk

    def _told_of_payload(self, done: int, size: int) -> None:
        self._parts.surroundings.check()
        self._tell(done, size)

    def _tell(self, done: int = 0, size: int = 0) -> None:
        source = self._source
        self._parts.progress(
            Progress(
                artifact=self._artifact_name,
                slot=self._slot_name,
                done=done,
                size=size,
                read=source.offset,
                total=source.size or 0,
                received=source.received,
                event=self._event,
            )
        )

    def _say(self, event: str) -> None:
        self._event = event
        logger.info("download: %s", event)
        self._tell()


class _Tenths:
    """Logs how much of a slot is written, at every tenth."""

    def __init__(self, slot: str, start: int, size: int) -> None:
        self._slot, self._size = slot, size
        self._last = self._tenths(start)

    def note(self, done: int) -> None:
        """So much is written [B]."""
        tenths = self._tenths(done)
        for each in range(self._last + 1, tenths + 1):
            logger.info("install: slot %s: %d %%", self._slot, each * _TOLD_EVERY)
        self._last = max(self._last, tenths)

    def _tenths(self, done: int) -> int:
        return done * 100 // self._size // _TOLD_EVERY if self._size else 0


def _require_equal(target: Slot, file: PayloadFile) -> None:
    found = digest_of_slot(target.node, file.size)
    if found != file.sha256:
        raise AgentError(
            f"{target.node}: reads back with the sha256 {found}, and {file.sha256} was written;"
            " the storage fails: replace it"
        )


def _described(header: Header) -> Artifact:
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
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
