# SPDX-License-Identifier: Apache-2.0
"""A board made up from one of ours: checked, built and run with nothing but commands."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ota_board.cli.main import main as ota_board
from ota_hil.console import Console
from ota_hil.link import Ssh
from ota_image.cli.main import main as ota_image
from tests.conftest import requires_program

pytestmark = [
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

CHANGES = {
    "table: mbr": "table: gpt",
    "data: {size: 64 MiB}": "data: {size: 64 MiB}\n  extra:\n    - {label: logs, size: 32 MiB}",
    "timeout: 30": "timeout: 10",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the board `lab`: GPT, five partitions, a quicker watchdog."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OTA_BOARDS", raising=False)
    assert ota_board(["new", "lab", "--from", "qemu-arm64"]) == 0
    file = tmp_path / "boards" / "lab" / "board.yaml"
    text = file.read_text("utf-8")
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    assert ota_board(["check", "lab"]) == 0
    return tmp_path


@pytest.fixture
def image(place: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Its image, as `ota-image build lab` makes it."""
    capsys.readouterr()
    assert ota_image(["build", "lab", "--json"]) == 0
    return place / str(json.loads(capsys.readouterr().out)["image"])


@contextmanager
def run_lab(place: Path) -> Iterator[tuple[Console, Ssh, "subprocess.Popen[bytes]"]]:
    """`ota-image run lab` on the image itself; it is ended when the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = Path(sys.executable).with_name("ota-image")
    program = subprocess.Popen(  # noqa: S603
        [command, "run", "lab", "--keep", "--ssh-port", str(port)],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert program.stdout
    console = Console(program.stdout.fileno())
    try:
        # Without a key of its user, the image is open and lets everybody in.
        yield console, Ssh(host="127.0.0.1", port=port, key=Path("/dev/null")), program
    finally:
        program.terminate()
        program.wait()
        console.close()
        program.stdout.close()


@pytest.mark.boot
def test_a_made_up_board_with_gpt_and_five_partitions_boots_and_stays_sound(
    place: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ota_image(["doctor", str(image), "--board", "lab"]) == 0

    with run_lab(place) as (console, board, program):
        console.expect("OTA: first boot, saving the environment", timeout=60)
        console.expect("ota: slot A, release ", timeout=120)
        console.expect("ota: /data: growing it to the end", timeout=120)
        console.expect("ota: network: eth0 has ", timeout=120)
        mounts = board.run("cat /proc/mounts")
        lines = board.run("grep mmcblk0p /proc/partitions").splitlines()
        state = board.run("fw_printenv mender_saveenv_canary mender_boot_part")
        board.run("(sync; poweroff -f) >/dev/null 2>&1 & exit 0")
        assert program.wait(60) == 0

    sizes = {name: int(blocks) >> 10 for _, _, blocks, name in map(str.split, lines)}
    assert sizes == {
        "mmcblk0p1": 40,
        "mmcblk0p2": 128,
        "mmcblk0p3": 128,
        "mmcblk0p4": 32,
        "mmcblk0p5": 159,  # it has grown from 64 MiB up to the backup of the table
    }
    assert "/dev/mmcblk0p5 /data ext4 " in mounts
    assert "ota: watchdog: " not in console.said  # it found its device
    assert state.splitlines() == ["mender_saveenv_canary=1", "mender_boot_part=2"]
    capsys.readouterr()
    code = ota_image(["doctor", str(image), "--board", "lab", "--booted"])
    assert code == 0, capsys.readouterr().out


@pytest.mark.full
def test_userspace_that_hangs_is_reset_by_the_watchdog(place: Path, image: Path) -> None:
    with run_lab(place) as (console, board, _):
        console.expect("ota: network: eth0 has ", timeout=120)
        board.run("kill -STOP $(pidof watchdog)")

        console.expect("U-Boot 20", timeout=60)
        console.expect("ota: slot A, release ", timeout=120)
