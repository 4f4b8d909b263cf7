# SPDX-License-Identifier: Apache-2.0
"""The agent's memory: there after a cut, shared by processes, and never in the way."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from ota_agent.address import Address
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Downloading, Idle, Trying
from ota_agent.lifecycle.update import Update
from ota_agent.memory import store as module
from ota_agent.memory.store import Saved, Store

UPDATE = Update(source=Address("https://server/a"), deployment="d1")


def test_a_new_memory_knows_of_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")

    assert store.load() == Saved(Idle(), "")
    assert store.provides == {}


def test_what_is_saved_is_there_for_the_next_one(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.save(Downloading(UPDATE), "boot 1")
    store.save(Trying(UPDATE), "boot 2")
    store.save_provides({"artifact_name": "v1", "a": "ä"})
    store.close()

    again = Store(tmp_path / "state.db")
    assert again.load() == Saved(Trying(UPDATE), "boot 2")
    assert again.provides == {"artifact_name": "v1", "a": "ä"}


def test_a_second_agent_is_told_that_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    one = Store(tmp_path / "state.db")
    one.save(Trying(UPDATE), "boot 1")

    with pytest.raises(AgentError, match="is open in another process; end that"):
        Store(tmp_path / "state.db")

    assert one.load().state == Trying(UPDATE)
    one.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" * 99])
def test_a_damaged_memory_is_put_aside_and_said_to_be(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)

    store = Store(path)
    store.save(Trying(UPDATE), "boot 1")

    assert store.load().state == Trying(UPDATE)
    assert (tmp_path / "state.db.broken").read_bytes() == content
    assert "is damaged" in caplog.text


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("/none/x")


odd = pytest.mark.parametrize("make", [a_fifo, a_folder, a_device, a_link_to_nothing])


@odd
def test_a_journal_that_is_not_a_file_costs_nothing(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path, journal = tmp_path / "state.db", tmp_path / "state.db-journal"
    make(journal)
    store = Store(path)
    store.save(Trying(UPDATE), "boot 1")
    store.close()
    journal.unlink()
    make(journal)

    assert Store(path).load().state == Trying(UPDATE)


@odd
def test_what_is_not_a_file_is_put_aside(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "state.db"
    make(path)
    a_folder(tmp_path / "state.db.broken")

    store = Store(path)
    store.save(Trying(UPDATE), "boot 1")
    store.close()

    assert Store(path).load().state == Trying(UPDATE)
    assert os.path.lexists(tmp_path / "state.db.broken")


def test_a_garbled_value_costs_no_other_one(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = Store(path)
    store.save(Trying(UPDATE), "boot 1")
    store.put("waits", "long enough to be found")
    store.close()
    path.write_bytes(path.read_bytes().replace(b"long enough", b"l\xff\xfe\x80 enough"))

    found = Store(path)

    assert found.load().state == Trying(UPDATE)
    assert found.number("waits") == 0


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE kept (name TEXT)",
        "CREATE VIEW kept AS SELECT 'state' AS name, '' AS value",
        "CREATE TABLE kept (name, value)",
    ],
)
def test_a_database_of_another_make_is_put_aside(tmp_path: Path, made: str) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute(made)

    store = Store(path)
    store.put("a", "b")

    assert store.text("a") == "b"
    assert (tmp_path / "state.db.broken").exists()


def test_a_newer_agent_may_have_more_columns(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute(
            "CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL, at REAL) STRICT"
        )
        base.execute("INSERT INTO kept VALUES ('part a', 'b', 1.5)")
        base.commit()

    store = Store(path)
    store.put("c", "d")

    assert (store.text("a"), store.text("c")) == ("b", "d")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"none/state\.db: .*is its folder there"):
        Store(tmp_path / "none" / "state.db")


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    first = Store(path)
    first.save(Trying(UPDATE), "boot 1")
    first.close()
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from ota_agent.memory.store import Store; from ota_agent.errors import AgentError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = Store(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: store.save_provides({'a': 'b' * 100000})\n"
        "except AgentError as error: print(error)\n"
    )

    done = subprocess.run(  # noqa: S603
        (sys.executable, "-c", code, path), capture_output=True, check=True
    )

    assert b"make room on its filesystem" in done.stdout
    assert Store(path).load() == Saved(Trying(UPDATE), "boot 1")


def test_a_kill_while_writing_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    code = (
        "import itertools, sys; from pathlib import Path\n"
        "from ota_agent.memory.store import Store; from ota_agent.lifecycle.states import Trying\n"
        "from ota_agent.address import Address; from ota_agent.lifecycle.update import Update\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for number in itertools.count():\n"
        "    update = Update(source=Address('u'), deployment='d', reboots=number)\n"
        "    store.save(Trying(update), str(number))\n"
        "    print(number, flush=True)\n"
    )
    for _ in range(3):
        with subprocess.Popen(  # noqa: S603
            (sys.executable, "-c", code, path), stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout
            for _ in range(5):
                said = int(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            said = max([said, *map(int, writer.stdout.read().split())])

        again = Store(path)
        saved = again.load()
        again.close()
        assert isinstance(saved.state, Trying)
        assert saved.boot == str(saved.state.update.reboots)
        assert saved.state.update.reboots >= said


def test_a_part_of_the_agent_has_values_of_its_own_next_to_the_state(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")

    store.put("checkpoint", "here")
    store.put("state", "mine")

    assert (store.text("checkpoint"), store.text("state")) == ("here", "mine")
    assert store.load().state == Idle()
    store.put("checkpoint", "")
    assert store.text("checkpoint") == ""
    store.close()


def test_another_thread_may_read_what_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.put("name", "value")
    seen: list[str] = []

    thread = Thread(target=lambda: seen.append(store.text("name")))
    thread.start()
    thread.join(10)

    assert seen == ["value"]
    store.close()
