# SPDX-License-Identifier: Apache-2.0
"""No space and no permission: the place is named, and existing files stay."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import Command, Keys, state_of
from tests.unit.artifact.cli.process import ROOTFS, Process, limited


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Half a MiB that does not compress."""
    path = tmp_path / "noise.img"
    path.write_bytes(os.urandom(1 << 19))
    return path


# No space.


def test_a_write_without_space_leaves_nothing(noise: Path, tmp_path: Path) -> None:
    code, _, err = Process(tmp_path, *ROOTFS, noise, before=limited(100_000)).wait()

    assert code == 7
    assert "out.mender: File too large; make room there, or choose another place" in err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["noise.img", "tmp"]


@pytest.mark.parametrize(
    "words",
    [
        ("modify", "n.mender", "-n", "v2"),
        ("modify", "n.mender", "--compression", "none"),
        ("sign", "n.mender", "-k", "K"),
        ("sign", "n.mender", "-k", "K", "-o", "signed.mender"),
    ],
)
def test_a_change_without_space_leaves_the_artifact_as_it_was(
    command: Command, noise: Path, tmp_path: Path, keys: Keys, words: tuple[str, ...]
) -> None:
    command.ok("write", "rootfs-image", "-n", "v1", "-c", "b", "-f", noise, "-o", "n.mender")
    (tmp_path / "tmp").mkdir()
    before = state_of(tmp_path / "n.mender")
    arguments = [str(keys.rsa) if word == "K" else word for word in words]

    code, _, err = Process(tmp_path, *arguments, before=limited(100_000)).wait()

    assert code == 7
    assert "File too large; make room there" in err
    assert "Traceback" not in err
    assert state_of(tmp_path / "n.mender") == before
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("words", [("cp", "source", "I:/etc/new"), ("modify", "I", "-n", "v2")])
def test_a_file_operation_without_space_leaves_the_image_as_it_was(
    update: Path, source: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "tmp").mkdir()
    before = state_of(update)
    arguments = [word.replace("I", str(update), 1) for word in words]

    code, _, err = Process(tmp_path, *arguments, before=limited(20_000)).wait()

    assert (code, "Traceback" in err) == (7, False), err
    assert state_of(update) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_dump_without_space_leaves_no_half_file(
    command: Command, noise: Path, tmp_path: Path
) -> None:
    command.ok("write", "rootfs-image", "-n", "v1", "-c", "b", "-f", noise, "-o", "n.mender")

    code, _, err = Process(
        tmp_path, "dump", "n.mender", "--files", "out", before=limited(100_000)
    ).wait()

    assert code == 7
    assert "out/noise.img: File too large; make room there" in err
    assert list((tmp_path / "out").iterdir()) == []


NOBODY = 65534

# No permission.


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that others may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="ota-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


AS_NOBODY = f"""
import os, deflate, ota_artifact.cli.main
import cryptography.hazmat.primitives.serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
ota_artifact.cli.main.build_parser()
os.geteuid() or os.seteuid({NOBODY})
"""
"""Imports first: Python may be in a folder that only we may enter."""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*ROOTFS, "a.mender"), 3, "out.mender: cannot be created: Permission denied"),
        (("modify", "a.mender", "-n", "v2"), 7, "a.mender: Permission denied; run as a user"),
        (("sign", "a.mender", "-k", "K"), 3, "a.mender: cannot be created: Permission denied"),
        (("read", "closed.mender"), 4, "closed.mender: cannot be opened: Permission denied"),
        (("write", "rootfs-image", "-n", "x", "-c", "x", "-f", "closed.mender", "-o", "-"), 7, "c"),
    ],
)
def test_without_permission_the_place_is_named_and_nothing_changes(
    rootfs: Path, keys: Keys, shared: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    for name, mode in (("a.mender", 0o644), ("closed.mender", 0)):
        shutil.copy(rootfs, shared / name)
        (shared / name).chmod(mode)
    shutil.copy(keys.rsa, shared / "key")
    (shared / "key").chmod(0o644)
    (shared / "tmp").mkdir()
    (shared / "tmp").chmod(0o777)
    shared.chmod(0o555)
    before = {each.name: each.stat().st_mtime_ns for each in shared.iterdir()}

    arguments = ["key" if word == "K" else word for word in words]
    ended = Process(shared, *arguments, before=AS_NOBODY).wait()

    assert (ended[0], said in ended[2]) == (code, True), ended[2]
    assert "Traceback" not in ended[2]
    shared.chmod(0o755)
    (shared / "tmp").rmdir()
    del before["tmp"]
    assert {each.name: each.stat().st_mtime_ns for each in shared.iterdir()} == before
