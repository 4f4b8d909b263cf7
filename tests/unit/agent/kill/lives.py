# SPDX-License-Identifier: Apache-2.0
"""Lives of an agent: each is a process of its own, which may be killed at a numbered point.

A point is before and after each durable write (of the store, of a file that is synced, of the
slot), each program that is run (fw_setenv, update modules, state scripts), and each action. The
count of points continues from life to life, in a file that they share.
"""

import functools
import mmap
import multiprocessing
import os
import signal
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ota_agent.cli.console import log_to_console
from ota_agent.config.settings import load_settings
from ota_agent.engine.assembly import assemble
from ota_agent.engine.owner import ownership
from ota_agent.engine.performer import DevicePerformer
from ota_agent.engine.runtime import RebootWanted
from ota_agent.lifecycle.events import PollDue
from ota_agent.memory import store
from ota_agent.server import key, signer
from ota_agent.server.client import Server
from ota_artifact import run as door

REBOOTING = 10
"""Exit code of a life that wants the device rebooted."""

_NONE = 0xFFFFFFFF


class Points:
    """Counts points in a file, and kills the process that reaches one of them.

    Attributes:
        path: eight bytes: how many there were, and the one that kills.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def reset(self, fatal: int | None) -> None:
        """Begin to count; ``fatal`` is the number of the one that kills, from 0 on."""
        self.path.write_bytes(struct.pack("<II", 0, _NONE if fatal is None else fatal))

    @property
    def passed(self) -> int:
        """How many there were."""
        return int(struct.unpack("<II", self.path.read_bytes())[0])

    def watch(self) -> None:
        """Count in this process."""
        with self.path.open("r+b") as file:
            shared = mmap.mmap(file.fileno(), 8)

        def point() -> None:
            passed, fatal = struct.unpack("<II", shared)
            shared[:] = struct.pack("<II", passed + 1, fatal)
            if passed == fatal:
                os.kill(os.getpid(), signal.SIGKILL)

        for owner, name in (
            (os, "fsync"),
            (os, "fdatasync"),
            (store.Store, "_write"),
            (door.subprocess, "Popen"),  # type: ignore[attr-defined]
            (door.subprocess, "run"),  # type: ignore[attr-defined]
            (DevicePerformer, "perform"),
            (Server, "report"),
        ):
            setattr(owner, name, _between(point, getattr(owner, name)))


def _between(point: Callable[[], None], work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work, updated=())
    def both(*arguments: Any, **named: Any) -> Any:
        point()
        result = work(*arguments, **named)
        point()
        return result

    return both


def _signed_here(self: key.DeviceKey, *words: str, stdin: bytes = b"") -> bytes:
    """The signer's work in this process, since a life would else be its start alone."""
    path, action = self._options.path, words[0]
    if action == "make":
        return signer._made(words[1], b"")
    private = signer._load(path, b"")
    return signer._public(private) if action == "public" else signer.signature(private, stdin)


def live(configuration: Path, points: Path, log: Path) -> None:
    """One life: continue with what was under way; if nothing was, ask the server once."""
    with log.open("a") as file:
        os.dup2(file.fileno(), 2)
    log_to_console("info")
    key.DeviceKey._signer = _signed_here  # type: ignore[method-assign]
    Points(points).watch()
    settings = load_settings(configuration, menders=())
    with ownership(settings.device.lock), assemble(settings) as agent:
        try:
            agent.runtime.start()
            if agent.update is None:
                agent.runtime.feed(PollDue())
        except RebootWanted:
            os._exit(REBOOTING)
    os._exit(0)


_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__, "ota_agent.server.http", "ota_agent.engine.daemon"])


def lived(configuration: Path, points: Path, log: Path) -> int:
    """The exit code of a life; that of a signal is negative."""
    process = _PROCESSES.Process(target=live, args=(configuration, points, log))
    process.start()
    process.join(60)
    with suppress(ProcessLookupError):
        if process.is_alive():
            process.kill()
            raise AssertionError(f"a life had no end; see {log}")
    code = process.exitcode
    process.close()
    assert code is not None
    return code
