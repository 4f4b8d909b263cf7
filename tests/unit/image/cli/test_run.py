# SPDX-License-Identifier: Apache-2.0
"""How `ota-image run` treats an image that something else uses."""

import socket
import tempfile
from pathlib import Path

import pytest

from ota_image.cli.main import main
from ota_image.disk.compose import Parts, compose
from ota_image.errors import ImageError
from ota_image.firmware import machine
from ota_image.packages.recipe import Recipe
from tests.house.tree import ROOT
from tests.simulators.holding import another_holds
from tests.unit.image.disk.small import quiet, small_board, tree, variables


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A command line that boots an image without a bootloader to build."""
    for name in ("OVMF_CODE.fd", "OVMF_VARS.fd", "disk.sdimg"):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    monkeypatch.setattr(machine, "_UEFI", (tmp_path / "OVMF_CODE.fd",))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    disk = str(tmp_path / "disk.sdimg")
    boards = str(ROOT / "boards")
    return ("run", "qemu-x86-64", "--boards", boards, "--disk", disk, "--ssh-port", port)


def test_an_image_that_a_board_writes_to_is_neither_booted_nor_copied(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with another_holds(tmp_path / "disk.sdimg"):
        assert main([*words, "--keep"]) == 3
        assert (
            "wait until it has ended, or boot another image with --disk" in capsys.readouterr()[1]
        )

        assert main(words) == 3
        assert "is using it; wait until it has ended" in capsys.readouterr()[1]


@pytest.mark.parametrize("port", ["0", "99999", "-1", "ssh", "٣"])
def test_what_is_not_a_port_is_refused(
    words: tuple[str, ...], port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*words, f"--ssh-port={port}"])

    assert caught.value.code == 2
    assert "is not a port; give one from 1 to 65535" in capsys.readouterr().err


def test_a_port_in_use_is_named_with_the_option(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert main([*words, "--ssh-port", str(port)]) == 3

    said = f"port {port} of this machine: Address already in use; name another with --ssh-port"
    assert said in capsys.readouterr().err


def test_a_tmpdir_without_space_is_named_with_the_variable(
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    fake = tmp_path / "bin" / "cp"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'cp: error writing: No space left on device' >&2; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert main(words) == 3

    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"ota-image: {tmp_path}: has no space for a copy of ")
    assert "set TMPDIR to a larger place" in said


@pytest.mark.parametrize(
    ("suite", "option", "started"),
    [
        ("bookworm", "", "bookworm"),
        ("bookworm", "trixie", "trixie"),
        ("trixie", "", "trixie"),
        ("kirkstone", "", "trixie"),  # not of our recipes: what is built by default
    ],
)
def test_the_u_boot_that_starts_an_image_is_of_its_suite(
    suite: str, option: str, started: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    release = f'PRETTY_NAME="Test"\nVERSION_CODENAME={suite}\n'.encode()
    files = {"etc/os-release": release, "etc/ota/release": b"image=minimal\nrelease=1\n"}
    parts = Parts(rootfs=tree(tmp_path / "rootfs", files), variables=variables(board))
    compose(board.layout, parts, tmp_path / "disk.sdimg", progress=quiet)
    seen: list[Recipe] = []

    def stop(*_: object, recipe: Recipe, **__: object) -> Path:
        seen.append(recipe)
        raise ImageError("far enough")

    monkeypatch.setattr("ota_image.cli.run.machine_firmware", stop)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = ["--disk", str(tmp_path / "disk.sdimg"), "--ssh-port", port]

    code = main(["run", "qemu-arm64", *words, *(["--suite", option] if option else [])])

    assert code == 2
    assert [(each.name, each.suite) for each in seen] == [("minimal", started)]
