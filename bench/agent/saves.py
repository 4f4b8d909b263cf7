# SPDX-License-Identifier: Apache-2.0
"""The command `python -m bench.agent.saves`: what reaches the flash when the agent saves its state.

Needs root, for a loop device with an ext4 like that of /data. The kernel counts the sectors.
"""

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ota_agent.address import Address
from ota_agent.lifecycle.states import Trying
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.record import to_text
from ota_agent.memory.store import Store
from ota_artifact.run import run

SAVES = 17
"""So many states has an update with a root filesystem."""

_PAUSE = 1.0  # [s] between two saves
_COMMIT = 6.0  # [s] ext4 commits what has changed every 5 s
_SIZE = 64 << 20  # [B]
_SECTOR = 512  # [B] Source: Linux, Documentation/block/stat.rst
_TIMEOUT = 60.0  # [s]
_TABLE = "CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
_REPLACE = "INSERT OR REPLACE INTO kept VALUES (?, ?)"
_UPDATE = "INSERT INTO kept VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

Save = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Way:
    """A way for SQLite to save.

    Attributes:
        name: what the table says.
        pragmas: for the connection.
        change: the statement that changes a value.
    """

    name: str
    pragmas: tuple[str, ...]
    change: str


WAYS = (
    Way("DELETE, FULL (version 0.1)", ("journal_mode=DELETE", "synchronous=FULL"), _REPLACE),
    Way("DELETE, EXTRA", ("journal_mode=DELETE", "synchronous=EXTRA"), _REPLACE),
    Way("PERSIST, FULL", ("journal_mode=PERSIST", "synchronous=FULL"), _UPDATE),
    Way("WAL, FULL", ("journal_mode=WAL", "synchronous=FULL"), _UPDATE),
    Way(
        "WAL, FULL, exclusive, a checkpoint for each save",
        (
            "locking_mode=EXCLUSIVE",
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=1",
        ),
        _UPDATE,
    ),
)


def main() -> int:
    """Measure each way, then the agent's own memory; gives the exit code."""
    print("| | in the call [KiB] | in all [KiB] |\n|---|---|---|")
    for way in WAYS:
        _measure(way.name, partial(_by_sqlite, way))
    _measure("the agent: PERSIST, EXTRA, exclusive", _by_store)
    return 0


def _measure(name: str, begin: Callable[[Path], tuple[Save, Callable[[], None]]]) -> None:
    with _filesystem() as (folder, sectors):
        save, close = begin(folder / "state.db")
        for number in range(3):
            save(number)
        os.sync()
        time.sleep(_COMMIT)
        began, calls = sectors(), []
        for number in range(SAVES):
            before = sectors()
            save(number)
            calls.append(sectors() - before)
            time.sleep(_PAUSE)
        time.sleep(_COMMIT)
        os.sync()
        whole = (sectors() - began) * _SECTOR / 1024 / SAVES
        each = sorted(calls)[SAVES // 2] * _SECTOR / 1024
        close()
    print(f"| {name} | {each:.0f} | {whole:.0f} |", flush=True)


def _by_sqlite(way: Way, path: Path) -> tuple[Save, Callable[[], None]]:
    base = sqlite3.connect(path, isolation_level=None)
    for pragma in way.pragmas:
        base.execute(f"PRAGMA {pragma}")
    base.execute(_TABLE)

    def save(number: int) -> None:
        base.execute("BEGIN IMMEDIATE")
        values = (("state", to_text(_state(number))), ("boot", "0" * 36))
        base.executemany(way.change, values)
        base.execute("COMMIT")

    return save, base.close


def _by_store(path: Path) -> tuple[Save, Callable[[], None]]:
    store = Store(path)
    return lambda number: store.save(_state(number), "0" * 36), store.close


def _state(number: int) -> Trying:
    """A state of a deployment, as long as they are."""
    signature = "a" * 200
    return Trying(
        Update(
            source=Address(f"https://updates.example.com/v2.mender?X-Sig={signature}"),
            deployment="0" * 36,
            artifact=Artifact(
                name="minimal-2",
                types=("rootfs-image",),
                provides={
                    "rootfs-image.version": "minimal-2",
                    "rootfs-image.checksum": "0" * 64,
                },
                clears=("rootfs-image.*",),
            ),
            target="B",
            reboots=number,
        )
    )


@contextmanager
def _filesystem() -> Iterator[tuple[Path, Callable[[], int]]]:
    """A new ext4 that is mounted, and the number of sectors that were written to its device."""
    with tempfile.TemporaryDirectory(prefix="bench-saves-") as name:
        image, point = Path(name) / "image", Path(name) / "data"
        point.mkdir()
        with image.open("wb") as file:
            file.truncate(_SIZE)
        run(("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", image), timeout=_TIMEOUT)
        words = ("losetup", "--find", "--show", "--direct-io=on", image)
        device = run(words, timeout=_TIMEOUT).decode().strip()
        counts = Path("/sys/class/block") / Path(device).name / "stat"
        try:
            run(("mount", device, point), timeout=_TIMEOUT)
            try:
                yield point, lambda: int(counts.read_text("ascii").split()[6])
            finally:
                run(("umount", point), timeout=_TIMEOUT)
        finally:
            run(("losetup", "--detach", device), timeout=_TIMEOUT)


if __name__ == "__main__":
    sys.exit(main())
