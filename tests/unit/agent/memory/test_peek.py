# SPDX-License-Identifier: Apache-2.0
"""A command that only looks at the agent's memory changes nothing, and says what is wrong."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.lifecycle.states import Idle, Trying
from ota_agent.lifecycle.update import Update
from ota_agent.memory import peek as module
from ota_agent.memory.peek import Memory, Unreadable, peek
from ota_agent.memory.store import Store
from ota_artifact.run import run
from tests.unit.agent.api.other_user import NOBODY, opened_to_all, requires_root

UPDATE = Update(source=Address("https://server/a?X-Sig=abc"), deployment="d1")


def remembered(path: Path) -> Path:
    """A memory with an update in it."""
    store = Store(path)
    store.save(Trying(UPDATE), "boot 1")
    store.save_provides({"artifact_name": "v1"})
    store.close()
    return path


def seen(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """All that is in a folder: content, mode and time of each file."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes() if path.is_file() else b"",
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
        )
        for path in sorted([folder, *folder.rglob("*")])
    }


def cut_off_while_writing(path: Path) -> None:
    """Have a writer die with half of its change in the file, and the way back in the journal."""
    code = (
        "import os, signal, sqlite3, sys\n"
        "base = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "base.execute('PRAGMA cache_size=1')\n"
        "base.execute('BEGIN IMMEDIATE')\n"
        "base.execute('UPDATE kept SET value = 7')\n"
        "many = ((str(each), 'x' * 3000) for each in range(200))\n"
        "base.executemany('INSERT INTO kept VALUES (?, ?)', many)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run((sys.executable, "-c", code, path))  # noqa: S603
    assert done.returncode == -signal.SIGKILL
    assert path.with_name(f"{path.name}-journal").stat().st_size


def damage_a_page(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(len(data) - 4096))


def damage_the_state(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute("UPDATE kept SET value = '{' WHERE name = 'state'")
    base.commit()
    base.close()


def make_a_log(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode=WAL")
    base.close()


def drop_the_table(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute("DROP TABLE kept")
    base.close()


def put_a_folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "noise": (lambda path: path.write_bytes(os.urandom(8192)), "is damaged (file is not a data"),
    "half": (lambda path: os.truncate(path, 5000), "is damaged ("),
    "page": (damage_a_page, "is damaged ("),
    "state": (damage_the_state, "is damaged (the record of the update is damaged"),
    "log": (make_a_log, "has a write-ahead log"),
    "table": (drop_the_table, "is damaged (no such table: kept)"),
    "folder": (put_a_folder_there, "Is a directory"),
}


def test_what_is_remembered_is_seen_and_nothing_changes(tmp_path: Path) -> None:
    path = remembered(tmp_path / "state.db")
    before = seen(tmp_path)

    found = peek(path)

    assert found == Memory(state=Trying(UPDATE), provides={"artifact_name": "v1"})
    assert seen(tmp_path) == before


def test_a_memory_without_an_update_is_idle(tmp_path: Path) -> None:
    Store(tmp_path / "state.db").close()

    assert peek(tmp_path / "state.db") == Memory(state=Idle(), provides={})


@pytest.mark.parametrize("name", ["state.db", "none/state.db", "empty/state.db", "empty"])
def test_where_nothing_is_nothing_is_made(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    before = seen(tmp_path)

    assert peek(tmp_path / name) is None
    assert seen(tmp_path) == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_unreadable_file_is_named_with_its_remedy_and_stays(damage: str, tmp_path: Path) -> None:
    path = remembered(tmp_path / "state.db")
    harm, words = DAMAGES[damage]
    harm(path)
    before = seen(tmp_path)

    with pytest.raises(Unreadable) as failure:
        peek(path)

    assert str(failure.value).startswith(f"{path}: {words}")
    assert failure.value.remedy in str(failure.value)
    assert seen(tmp_path) == before


def test_a_write_that_was_cut_off_is_undone_in_a_copy(tmp_path: Path) -> None:
    path = remembered(tmp_path / "state.db")
    cut_off_while_writing(path)
    before = seen(tmp_path)

    found = peek(path)

    assert found == Memory(state=Trying(UPDATE), provides={"artifact_name": "v1"})
    assert seen(tmp_path) == before


def test_the_running_agent_is_neither_waited_for_nor_held_up(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.save(Trying(UPDATE), "boot 1")
    store.save_provides({"artifact_name": "v1"})
    before = seen(tmp_path)

    found = peek(tmp_path / "state.db")

    assert found == Memory(state=Trying(UPDATE), provides={"artifact_name": "v1"})
    assert seen(tmp_path) == before
    store.save(Idle(), "boot 1")
    store.close()


def test_what_an_agent_is_writing_all_the_time_is_seen_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    code = (
        "import itertools, sys; from pathlib import Path\n"
        "from ota_agent.memory.store import Store; from ota_agent.lifecycle.states import Idle\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for number in itertools.count():\n"
        "    store.save_provides({'one': str(number), 'long': 'x' * 9000, 'two': str(number)})\n"
        "    print(number, flush=True)\n"
    )
    with subprocess.Popen((sys.executable, "-c", code, path), stdout=subprocess.PIPE) as writer:  # noqa: S603
        assert writer.stdout
        writer.stdout.readline()

        seen = [peek(path) for _ in range(100)]

        writer.kill()
    provides = [each.provides for each in seen if each]
    assert len(provides) == 100
    assert all(each["one"] == each["two"] for each in provides)


def test_a_memory_that_never_rests_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = remembered(tmp_path / "state.db")
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    numbers = iter(range(10**9))
    monkeypatch.setattr(module, "_content", lambda path: str(next(numbers)).encode())

    with pytest.raises(Unreadable, match="is being written; try again"):
        peek(path)


def test_a_filesystem_without_writes_is_enough(tmp_path: Path) -> None:
    path = remembered(tmp_path / "state.db")
    cut_off_while_writing(path)
    for each in tmp_path.iterdir():
        each.chmod(0o400)
    tmp_path.chmod(0o500)

    found = peek(path)

    assert found == Memory(state=Trying(UPDATE), provides={"artifact_name": "v1"})
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"a": 1}', "null"])
def test_odd_provides_are_damage(text: str, tmp_path: Path) -> None:
    path = remembered(tmp_path / "state.db")
    base = sqlite3.connect(path)
    base.execute("UPDATE kept SET value = ? WHERE name = 'provides'", (text,))
    base.commit()
    base.close()

    with pytest.raises(Unreadable, match="what is provided is damaged"):
        peek(path)
    store = Store(path)
    assert store.provides == {}
    store.close()


@requires_root
@pytest.mark.parametrize("closed", ["data", "data/state.db"])
def test_another_user_is_told_to_be_root(closed: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = remembered(opened_to_all(tmp_path) / "data" / "state.db")
    path.chmod(0o644)
    (tmp_path / closed).chmod(0o600)
    before = seen(tmp_path)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from ota_agent.memory.peek import Unreadable, peek\n"
        f"os.setgid(60000); os.setuid({NOBODY})\n"
        "try: peek(Path(sys.argv[1]))\n"
        "except Unreadable as error: print(error)\n"
    )

    said = run((sys.executable, "-c", code, path), timeout=30).decode()

    assert said == f"{path}: Permission denied; be root, as with sudo\n"
    assert seen(tmp_path) == before
