# SPDX-License-Identifier: Apache-2.0
"""The floor of security versions on a device: what raises it, what cannot lower it."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ota_agent.cli.main import main
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.keys import PrivateKey
from ota_artifact.security_version import provides_of
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

ONE, OTHER = (PrivateKey(name, ec.generate_private_key(ec.SECP256R1())) for name in ("1", "2"))
KEEPING = "#!/bin/sh\n[ $1 != SupportsRollback ] || echo Yes\n"


class Board:
    """A device that trusts keys, and artifacts for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules = folder / "modules"
        self.modules.mkdir()
        (self.modules / "app").write_text(KEEPING)
        (self.modules / "app").chmod(0o755)
        (folder / "health.d").mkdir()
        self.device: Scratch = self.made(ONE)
        self.count = 0

    def made(self, *keys: PrivateKey, **more: object) -> Scratch:
        return scratch(self.folder / "device", slot=1 << 20, **self.sections(*keys, **more))

    def sections(self, *keys: PrivateKey, **more: object) -> dict[str, dict[str, object]]:
        names = []
        for key in keys:
            path = self.folder / f"{key.name}.pem"
            public = key.key.public_key()
            path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            names.append(str(path))
        return {
            "keys": {"keys": names, **more},
            "commit": {"folder": str(self.folder / "health.d")},
            "scripts": {"folders": []},
            "modules": {"folders": [str(self.modules)]},
        }

    def trust(self, *keys: PrivateKey, **more: object) -> None:
        """Give it another configuration, as a new release does."""
        self.device.sections = self.sections(*keys, **more)
        self.device.boot()

    def artifact(
        self,
        number: int | None,
        *lowers: int,
        kind: str = "rootfs-image",
        clears: tuple[str, ...] = (),
        key: PrivateKey = ONE,
        scripts: tuple[str, ...] = (),
    ) -> Path:
        self.count += 1
        module = "" if kind == "rootfs-image" else kind
        provides = {} if number is None else provides_of(number, lowers=lowers, module=module)
        version = f"{kind}.version" if not module else f"rootfs-image.{kind}.version"
        header = PayloadHeader(
            type=kind, provides={version: f"1.{self.count}", **provides}, clears=clears
        )
        content = sources(self.folder / f"{self.count}", {"file": b"new" * 1000})
        path = self.folder / f"{self.count}.mender"
        script = f"#!/bin/sh\ntouch {self.folder}/script\n".encode()
        spec = ArtifactSpec(
            Header(
                version=3,
                artifact_name=f"v1.{self.count}",
                compatible_types=("scratch",),
                payloads=(header,),
                scripts=tuple(Script(name=name, content=script) for name in scripts),
            ),
            (PayloadSpec(header, content),),
        )
        written(spec, path, signer=key)
        return path

    def install(self, path: Path) -> int:
        return self.call("install", str(path))

    def call(self, command: str, *more: str) -> int:
        return main([command, "--config", str(self.device.configuration), *more])

    def update(self, path: Path) -> None:
        assert self.install(path) == 0
        self.device.boot()
        assert self.call("commit") == 0

    def state(self) -> Path:
        return self.device.folder / "data" / "state.db"

    def lose_memory(self) -> None:
        for each in self.state().parent.glob("state.db*"):
            each.unlink()

    def lose_variable(self) -> None:
        self.device.set(ota_floor="")
        self.device.set(ota_floor="")


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def refused(board: Board, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Install what has to be refused; gives why it was."""
    capsys.readouterr()
    before = [board.device.slot(name).read_bytes() for name in "AB"]
    assert board.install(path) == 1
    assert [board.device.slot(name).read_bytes() for name in "AB"] == before
    return capsys.readouterr().err


LOSSES: dict[str, Callable[[Board], None]] = {
    "nothing": lambda board: None,
    "the memory": Board.lose_memory,
    "the variable": Board.lose_variable,
    "what it provides": lambda board: board.update(
        board.artifact(1, kind="app", clears=("rootfs-image.*",))
    ),
    "all it provides": lambda board: board.update(board.artifact(1, kind="app", clears=("*",))),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_release_below_the_floor_is_refused_whatever_was_lost(
    board: Board, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = board.artifact(4)
    board.update(board.artifact(5))

    LOSSES[loss](board)

    assert "security_version 4, and the floor of this device is 5" in refused(board, old, capsys)
    assert "has no security version" in refused(board, board.artifact(None), capsys)
    board.update(board.artifact(5))


@pytest.mark.parametrize("loss", ["nothing", "the memory", "the variable"])
def test_a_modules_artifact_below_its_floor_is_refused_whatever_was_lost(
    board: Board, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = board.artifact(1, kind="app")
    board.update(board.artifact(2, kind="app"))

    LOSSES[loss](board)

    assert "rootfs-image.app.security_version 1, and the floor" in refused(board, old, capsys)
    assert board.device.environment["ota_floor"] == f"rootfs-image.app:{ONE.public.id[:8]}:2"


@pytest.mark.parametrize(
    ("step", "then"), [("ArtifactInstall_Enter", "resume"), ("ArtifactCommit_Enter", "commit")]
)
def test_an_old_data_that_is_put_back_brings_no_older_artifact_back(
    board: Board, step: str, then: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = board.device.folder / "data"
    (board.modules / "app").write_text(f"{KEEPING}echo $1 >> {tmp_path}/ran\n")
    old = board.artifact(1, kind="app", scripts=("ArtifactCommit_Enter_00",))
    assert board.call("install", "--stop-before", step, str(old)) == 0
    shutil.copytree(data, tmp_path / "copy")
    assert board.call("rollback") == 0
    board.update(board.artifact(2, kind="app"))
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "copy", data)
    (tmp_path / "ran").unlink()
    capsys.readouterr()

    assert board.call(then) != 0

    said = capsys.readouterr().err
    assert "rootfs-image.app.security_version 1, and the floor of this device is 2" in said
    assert "ArtifactInstall" not in (tmp_path / "ran").read_text().split()
    assert not (tmp_path / "script").exists()


def test_an_old_data_that_is_put_back_starts_no_older_slot(
    board: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = board.device.folder / "data"
    assert (
        board.call("install", "--stop-before", "ArtifactInstall_Enter", str(board.artifact(5))) == 0
    )
    shutil.copytree(data, tmp_path / "copy")
    assert board.call("resume") == 0
    board.device.boot()
    assert board.call("commit") == 0
    board.update(board.artifact(6))
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "copy", data)
    capsys.readouterr()

    assert board.call("resume") != 0

    assert "security_version 5, and the floor of this device is 6" in capsys.readouterr().err
    assert board.device.environment["upgrade_available"] == "0"


def test_a_copy_that_was_lost_comes_back_from_the_other_one(board: Board) -> None:
    board.update(board.artifact(5))
    floor = board.device.environment["ota_floor"]

    board.lose_memory()
    assert board.call("commit") == 2  # nothing to do, but the agent has started
    board.lose_variable()
    assert board.call("commit") == 2

    assert [each["ota_floor"] for each in board.device.copies()] == [floor, floor]
    board.lose_variable()
    assert board.call("commit") == 2
    assert board.device.environment["ota_floor"] == floor


def test_a_trial_does_not_raise_the_floor_and_can_be_rolled_back(board: Board) -> None:
    board.update(board.artifact(5))
    assert board.install(board.artifact(9)) == 0
    board.device.boot()
    assert ":9" not in board.device.environment["ota_floor"]

    assert board.call("rollback") == 0
    board.device.boot()

    assert board.device.running == "B"
    assert board.call("resume") in (0, 2)
    board.update(board.artifact(5))


@pytest.mark.parametrize(("first", "second", "good"), [(5, 5, "1"), (5, 6, "0"), (None, 0, "1")])
def test_the_bootloader_falls_back_to_the_other_slot_unless_that_is_below_the_floor(
    board: Board, first: int | None, second: int, good: str
) -> None:
    board.update(board.artifact(first))
    assert board.device.running == "B"
    board.update(board.artifact(second))

    for copy in board.device.copies():
        assert (copy["ota_good_a"], copy["ota_good_b"]) == ("1", good)


def test_a_signed_artifact_lowers_exactly_the_floor_that_it_names(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    lowering = board.artifact(3, 5)
    board.update(board.artifact(5))

    board.update(lowering)

    board.lose_memory()
    board.update(board.artifact(4))
    board.update(board.artifact(6))
    assert "floor of this device is 6" in refused(board, lowering, capsys)


def test_a_new_key_resets_what_a_stolen_one_has_raised(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.update(board.artifact(2_000_000_000))
    board.trust(ONE, OTHER)
    assert "floor" in refused(board, board.artifact(7, key=OTHER), capsys)

    board.trust(OTHER)

    board.update(board.artifact(7, key=OTHER))
    assert "floor of this device is 7" in refused(board, board.artifact(6, key=OTHER), capsys)


def test_a_key_that_has_expired_still_counts(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.update(board.artifact(5))
    board.trust(ONE, OTHER)
    keys = board.device.sections["keys"]["keys"]
    assert isinstance(keys, list)
    keys[0] += ", expires = 2020-01-01"
    board.device.boot()

    assert "floor of this device is 5" in refused(board, board.artifact(4, key=OTHER), capsys)


def test_the_names_of_versions_count_where_there_is_no_number(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    old = board.artifact(None)
    board.update(board.artifact(None))
    board.update(board.artifact(None, kind="app", clears=("*",)))

    assert "'1.1', and this device has '1.2'" in refused(board, old, capsys)


def test_only_the_configuration_of_a_slot_can_allow_a_downgrade(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.update(board.artifact(5))
    local = board.device.folder / "data" / "agent.toml"
    local.write_text("[keys]\nforbid_downgrade = false\n")
    assert "floor of this device is 5" in refused(board, board.artifact(4), capsys)
    local.unlink()

    board.trust(ONE, forbid_downgrade=False)

    board.update(board.artifact(4))
    assert board.device.environment["ota_good_b"] == "1"


def test_a_file_on_data_that_names_fewer_keys_does_not_reset_the_floor(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.update(board.artifact(5))
    board.trust(ONE, OTHER)
    local = board.device.folder / "data" / "agent.toml"
    local.write_text(f'[keys]\nkeys = ["{board.folder}/{OTHER.name}.pem"]\n')

    assert "floor of this device is 5" in refused(board, board.artifact(4, key=OTHER), capsys)


def test_without_keys_nothing_is_compared_unless_that_is_asked_for(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.trust()
    board.update(board.artifact(5))
    board.update(board.artifact(4))

    board.trust(forbid_downgrade=True)

    assert "floor of this device is 5" in refused(board, board.artifact(4), capsys)


def test_the_status_shows_the_floor(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    board.update(board.artifact(5))
    capsys.readouterr()

    assert board.call("status") == 0

    wanted = f"never goes back below the security version rootfs-image 5 of key {ONE.public.id[:8]}"
    assert wanted in capsys.readouterr().out


def test_a_memory_of_an_older_agent_gets_a_floor_and_that_agent_reads_it_still(
    board: Board,
) -> None:
    board.update(board.artifact(None))
    with closing(sqlite3.connect(board.state())) as base:
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_schema")]
        assert "floor" not in tables
        before = base.execute("SELECT name FROM kept").fetchall()

    board.update(board.artifact(5))

    with closing(sqlite3.connect(board.state())) as base:
        assert set(before) <= set(base.execute("SELECT name FROM kept").fetchall())
        rows = base.execute("SELECT name, key, number FROM floor").fetchall()
    assert rows == [("rootfs-image", ONE.public.id[:8], 5)]


@pytest.mark.parametrize("garbage", ["3\r", "x" * 2000, "rootfs-image::-1 \x7f", "::", "\xff"])
def test_a_garbled_variable_is_replaced_and_stops_nothing(board: Board, garbage: str) -> None:
    board.update(board.artifact(5))
    floor = board.device.environment["ota_floor"]
    board.device.set(ota_floor=garbage)
    board.device.set(ota_floor=garbage)

    board.update(board.artifact(5))

    assert [each["ota_floor"] for each in board.device.copies()] == [floor, floor]
