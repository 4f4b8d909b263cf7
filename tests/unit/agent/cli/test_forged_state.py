# SPDX-License-Identifier: Apache-2.0
"""The agent's memory is on /data, where nothing is signed: what it says proves nothing."""

import hashlib
import shutil
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from ota_agent.address import Address
from ota_agent.lifecycle import states as s
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.store import Store
from tests.conftest import requires_program
from tests.unit.agent.cli.test_floor import Board, refused

pytestmark = [requires_program("fw_setenv", package="libubootenv-tool"), pytest.mark.boot]

FORGED = Artifact(
    name="v0",
    types=("rootfs-image",),
    provides={"rootfs-image.security_version": "1", "rootfs-image.security_lowers": "5"},
    clears=("rootfs-image.*",),
)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """A device whose floor is 5, with an older release in the slot that does not run."""
    found = Board(tmp_path)
    found.update(found.artifact(4))
    found.update(found.artifact(5))
    return found


def forge(
    board: Board, kind: type[s.UnderWay], slot: str, artifact: Artifact = FORGED, *more: str
) -> None:
    """Have the memory say that an update is in a state."""
    update = Update(source=Address("/x"), artifact=artifact, target=slot, has_rebooted=True)
    with closing(Store(board.state())) as store:
        store.save(cast(s.State, kind(update, *more)), "another boot")


def go_on(board: Board) -> None:
    """Have the agent do whatever it wants to do."""
    for _ in range(2):
        board.call("resume")
        board.call("commit")
        board.device.boot()


@pytest.mark.parametrize(
    ("kind", "slot"), [(s.Committed, "A"), (s.Committed, "B"), (s.Committing, "A"), (s.Trying, "A")]
)
def test_a_forged_update_lowers_no_floor(
    board: Board, kind: type[s.UnderWay], slot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = board.artifact(4)
    forge(board, kind, slot)

    go_on(board)
    board.call("rollback")

    assert board.device.running == "A"
    assert "security_version 4, and the floor of this device is 5" in refused(board, old, capsys)


@pytest.mark.parametrize(
    ("kind", "more", "slot"),
    [
        (s.Installing, (), "B"),
        (s.Rebooting, (), "B"),
        (s.RollingBack, (), "A"),
        (s.RebootingBack, (), "A"),
        (s.Erring, ("ArtifactCommit",), "A"),
    ],
)
def test_a_forged_update_does_not_start_what_is_below_the_floor(
    board: Board, kind: type[s.UnderWay], more: tuple[str, ...], slot: str
) -> None:
    forge(board, kind, slot, FORGED, *more)

    go_on(board)

    assert board.device.running == "A"
    assert board.device.environment["mender_boot_part"] == "2"


def test_the_head_of_what_runs_does_not_vouch_for_the_other_slot(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = (board.device.folder / "data" / "artifact" / "manifest").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    provides = {"rootfs-image.security_version": "5"}
    own = Artifact(
        name="v", types=("rootfs-image",), provides=provides, digest=digest, size=1 << 12
    )
    forge(board, s.Installing, "B", own)

    go_on(board)

    assert board.device.running == "A"
    assert "slot-b: was changed after it was written" in capsys.readouterr().err


def test_a_module_and_its_scripts_are_not_replayed_from_data(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, data = board.artifact(1, kind="app"), board.device.folder / "data"
    stopped = board.call("install", "--stop-before", "ArtifactInstall_Enter", str(old))
    kept = tmp_path / "kept"
    shutil.copytree(data, kept)
    assert (stopped, board.call("resume"), board.call("commit")) == (0, 0, 0)
    board.call("install", str(board.artifact(2, kind="app")))
    board.call("commit")
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    board.device.set(ota_floor="rootfs-image.app::2")
    capsys.readouterr()

    assert board.call("resume") == 1

    assert "app.security_version 1, and the floor of this device is 2" in capsys.readouterr().err


def test_an_update_that_another_run_has_stored_is_installed(board: Board) -> None:
    new = board.artifact(6)

    assert board.call("install", "--stop-before", "ArtifactInstall_Enter", str(new)) == 0
    assert board.call("resume") == 0
    board.device.boot()
    assert board.call("commit") == 0

    assert board.device.running == "B"


def test_a_slot_that_another_run_has_written_is_looked_at_again(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    new = board.artifact(6)
    assert board.call("install", "--stop-before", "ArtifactInstall_Enter", str(new)) == 0
    with board.device.slot("B").open("r+b") as slot:
        slot.write(b"old")

    assert board.call("resume") == 1

    assert "slot-b: was changed after it was written" in capsys.readouterr().err
    assert board.device.environment["upgrade_available"] == "0"
