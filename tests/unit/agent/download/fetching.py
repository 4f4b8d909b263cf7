# SPDX-License-Identifier: Apache-2.0
"""A device that fetches: a slot in a file, a memory, and what it was told and asked to do."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import urllib3

from ota_agent.address import Address
from ota_agent.admission.acceptance import check_acceptance
from ota_agent.bootloader.boot import Boot
from ota_agent.bootloader.file import File
from ota_agent.device.slots import Slot, Slots
from ota_agent.download import DownloadOptions
from ota_agent.download.fetch import Fetch, Progress
from ota_agent.errors import AgentError
from ota_agent.lifecycle.actions import Call
from ota_agent.lifecycle.events import Fetched
from ota_agent.lifecycle.update import Update
from ota_agent.payloads import Installer, Reboot
from ota_agent.payloads.checkpoint import Trail
from ota_agent.payloads.rootfs import RootFilesystem
from ota_agent.server.http import pool
from ota_agent.server.options import TlsOptions
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.keys import PublicKey, Signer
from ota_artifact.payload import Payload
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.simulators.file_server import FileServer
from tests.unit.agent.download.source.around import Time
from tests.unit.artifact.writing import sources, written

MIB = 1 << 20
OPTIONS = DownloadOptions(inactivity=5.0, no_progress=600.0, checkpoint_bytes=MIB // 2)


class Killed(BaseException):
    """The agent's process ends just there."""


def filesystem(size: int, seed: int = 1) -> bytes:
    """What a root filesystem looks like to a compressor: noise, texts and zeros."""
    number = random.Random(seed)
    parts: list[bytes] = []
    while sum(map(len, parts)) < size:
        parts += [number.randbytes(150_000), b"text " * 20_000, bytes(50_000)]
    return b"".join(parts)[:size]


def artifact(
    folder: Path,
    *contents: dict[str, bytes],
    types: Sequence[str | None] = ("rootfs-image",),
    compression: str = "gzip",
    scripts: tuple[Script, ...] = (),
    signer: Signer | None = None,
) -> bytes:
    """An artifact of payloads with these files."""
    headers = tuple(
        PayloadHeader(type=kind, provides={f"{kind}-{number}.version": "2"}, clears=(f"{kind}.*",))
        for number, kind in enumerate(types)
    )
    payloads = tuple(
        PayloadSpec(header, sources(folder / str(number), content))
        for number, (header, content) in enumerate(zip(headers, contents, strict=True))
    )
    header = Header(
        version=3,
        artifact_name="release-2",
        compatible_types=("board",),
        payloads=headers,
        scripts=scripts,
        artifact_group="beta",
    )
    return written(ArtifactSpec(header, payloads), folder / "a.mender", compression, signer)


@dataclass
class Module:
    """An update module that keeps what it is given in memory."""

    slot = ""
    stored: dict[str, bytes] = field(default_factory=dict)
    times: int = 0

    def store(self, payload: Payload, progress: Callable[[int, int], None]) -> None:
        self.times += 1
        for file in payload.files():
            self.stored[file.name] = b"".join(file.chunks())
            progress(file.size, file.size)

    def finish(self) -> None: ...

    def call(self, call: Call) -> None: ...

    def wants_reboot(self) -> Reboot:
        return "no"

    def can_roll_back(self) -> bool:
        return False


@dataclass(kw_only=True)
class Device:
    """Where the artifact goes.

    Attributes:
        slot: B, a file.
        kept: what outlives the agent.
        told: the progress.
        scripts: that were stored, in the order of the calls.
        modules: by the number of the payload.
        kill_at: the agent ends when so much of a slot or a payload is stored [B].
    """

    folder: Path
    room: int = 8 * MIB
    kept: dict[str, str] = field(default_factory=dict)
    told: list[Progress] = field(default_factory=list)
    scripts: list[tuple[Script, ...]] = field(default_factory=list)
    modules: dict[int, Module] = field(default_factory=dict)
    keys: tuple[PublicKey, ...] = ()
    provides: dict[str, str] = field(default_factory=dict)
    options: DownloadOptions = OPTIONS
    kill_at: int | None = None
    device_type: str = "board"
    time: Time = field(default_factory=Time)

    def __post_init__(self) -> None:
        if not self.slot.exists():
            self.slot.write_bytes(b"\xa5" * self.room)
            (self.folder / "environment").write_text("mender_boot_part=2\nota_good_b=1\n")

    @property
    def slot(self) -> Path:
        return self.folder / "slot-b"

    @property
    def events(self) -> list[str]:
        """What was told, each once."""
        return list(dict.fromkeys(each.event for each in self.told if each.event))

    def holds(self, content: bytes) -> bool:
        return self.slot.read_bytes()[: len(content)] == content

    def restarted(self, **changes: object) -> "Device":
        """The same device once the agent runs again."""
        fresh: dict[str, object] = {"told": [], "kill_at": None, "time": Time()}
        return replace(self, **{**fresh, **changes})  # type: ignore[arg-type]

    def fetch(self, source: str, deployment: str = "") -> Fetched:
        fetch = Fetch(
            Update(source=Address(source), deployment=deployment),
            options=self.options,
            pool=_pool,
            memory=self,
            keys=self.keys,
            accept=lambda header, digest: check_acceptance(header, self.device_type, self.provides),
            begin=self._begin,
            store_scripts=self.scripts.append,
            progress=self._note,
            surroundings=self.time.surroundings,
        )
        return fetch.run()

    def text(self, name: str) -> str:
        return self.kept.get(name, "")

    def put(self, name: str, text: str) -> None:
        self.kept[name] = text

    def _begin(self, header: Header, trail: Trail) -> dict[int, Installer]:
        found: dict[int, Installer] = {}
        for number, payload in enumerate(header.payloads):
            if payload.type == "unknown":
                raise AgentError("no update module 'unknown'")
            if payload.type == "rootfs-image":
                found[number] = root_filesystem(self.folder, self.options, trail)
            elif payload.type:
                found[number] = self.modules.setdefault(number, Module())
        return found

    def _note(self, progress: Progress) -> None:
        self.told.append(progress)
        if self.kill_at is not None and progress.done >= self.kill_at:
            raise Killed


def root_filesystem(folder: Path, options: DownloadOptions, trail: Trail) -> RootFilesystem:
    """What stores a payload in the file that is slot B."""
    slots = Slots(Slot("A", folder / "slot-a", 2), Slot("B", folder / "slot-b", 3))
    return RootFilesystem(
        boot=Boot(slots, lambda: slots.a, File(folder / "environment")),
        target=slots.b,
        trail=trail,
        is_comparing=options.is_comparing,
        is_reading_back=options.is_reading_back,
        sync_bytes=options.checkpoint_bytes,
        sync_interval=options.checkpoint_interval,
    )


def _pool() -> urllib3.PoolManager:
    return pool(TlsOptions(allow_plain_http=True), timeout=5.0, environment={})


def killed(folder: Path, source: str, at: int, **more: object) -> Device:
    """A device whose agent ended when so much was in the slot [B]; then it runs again."""
    device = Device(folder=folder, kill_at=at, **more)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        device.fetch(source)
    return device.restarted()


def asked(server: FileServer) -> list[int]:
    """Where each request since the last question began [B]."""
    starts = [each.start for each in server.requests]
    server.requests.clear()
    return starts
