# SPDX-License-Identifier: Apache-2.0
"""Room on /data, on a real filesystem that is full."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Idle
from ota_agent.memory.store import Store
from ota_agent.trial.room import LEAST, prove_room
from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from tests.conftest import requires_program


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A filesystem as that of /data, but small."""
    image, point = tmp_path / "image", tmp_path / "data"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    run(("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", image), timeout=10)
    point.mkdir()
    try:
        run(("mount", "-o", "loop", image, point), timeout=10)
    except ProgramError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    yield point
    run(("umount", point), timeout=10)


def fill(folder: Path) -> None:
    with (folder / "fill").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@requires_program("mke2fs", package="e2fsprogs")
def test_a_full_filesystem_that_still_takes_the_state_has_no_room(data: Path) -> None:
    store = Store(data / "state.db")
    store.save(Idle(), "first")
    fill(data)
    store.save(Idle(), "second")

    with pytest.raises(AgentError, match=r"No space left on device: 65536 B cannot be written"):
        prove_room(data)

    (data / "fill").unlink()
    prove_room(data)
    store.close()
    assert {each.name for each in data.iterdir()} == {"lost+found", "state.db", "state.db-journal"}


def test_what_can_reserve_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(file: int, offset: int, size: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.posix_fallocate", cannot)

    prove_room(tmp_path)
    with pytest.raises(AgentError, match="No such file or directory"):
        prove_room(tmp_path / "gone", LEAST)
