# SPDX-License-Identifier: Apache-2.0
"""The debian image: systemd starts well, and the device keeps its identity in both slots."""

import json
import shutil
from pathlib import Path

import pytest

from ota_board.load import load_board
from ota_image.build import build
from ota_image.errors import WorldError
from ota_image.firmware.u_boot import u_boot_of
from ota_image.packages.recipe import find_recipe, fitted, load_recipe, recipe_folders
from ota_image.rootfs.agent import tree_wheels
from ota_image.rootfs.settings import Settings, read_ssh_keys
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.system.images import Image, ssh_key
from tests.system.no_python import expect_the_old_slot_again
from tests.system.running import Running, running
from tests.system.u_boot_cycle import commit, go_through, try_b

FOLDER = ROOT / "boards" / "qemu-arm64"
UP = 300.0  # [s] until systemd is done, under emulation and load

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(3600),  # [s] the first one waits for mmdebstrap under emulation
    requires_program("mmdebstrap", package="mmdebstrap"),
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    recipe = load_recipe(find_recipe("debian", recipe_folders(None)), request.param)
    board, key = fitted(load_board(FOLDER), recipe), ssh_key()
    keys = read_ssh_keys(key.with_suffix(".pub"))
    settings = Settings(ssh_keys=keys, wheels=tree_wheels())
    output = tmp_path_factory.mktemp("debian")
    try:
        built = build(board, FOLDER, recipe, settings, output, with_parts=True, say=print)
    except WorldError as error:
        if "does not run programs" in str(error):
            pytest.skip(str(error))
        raise
    return Image(
        board=board,
        built=built,
        firmware=u_boot_of(board, FOLDER, None, print, recipe=recipe).folder / "u-boot.bin",
        key=key,
    )


def test_systemd_is_sound_and_the_device_keeps_its_identity_on_both_slots(
    image: Image, tmp_path: Path
) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    fill_slot_b(image, disk)

    with running(image.board, disk, image.firmware, image.key) as board:
        board.expect("making a host key", timeout=UP)
        board.expect("ota: network: eth0 has ", timeout=UP)  # before the login prompt, or after it
        expect_sound(board)
        factory = identity(board)
        assert len(factory[0]) == 32
        assert "ssh-ed25519" in factory[1]
        expect_writable_where_it_should_be(board)
        expect_agent(board)

        try_b(board)
        board.comes_up_on("B", timeout=UP)
        expect_sound(board)
        expect_log_of_the_trial(board)
        assert identity(board) == factory
        assert board.ssh("cat /data/kept").strip() == "yes"
        commit(board)
        board.restart()
        board.comes_up_on("B", timeout=UP)
        assert identity(board) == factory
        assert "qemu-arm64 login:" in board.said
        assert "making a host key" not in board.said.partition("eth0 has")[2]


def test_the_board_falls_back_rolls_back_and_commits(image: Image, tmp_path: Path) -> None:
    go_through(image, tmp_path)


def test_a_trial_in_which_no_python_program_starts_goes_back(image: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A", timeout=UP)

        expect_the_old_slot_again(board, image, try_b, timeout=UP)


def fill_slot_b(image: Image, disk: Path) -> None:
    """Put the root filesystem, as `--parts` gave it, into slot B of a disk."""
    assert image.built.parts
    with (image.built.parts / "2-slot-A.ext4").open("rb") as slot, disk.open("r+b") as file:
        file.seek(image.board.layout.partition("B").offset)
        shutil.copyfileobj(slot, file, 1 << 20)


def expect_sound(board: Running) -> None:
    """No unit has failed, and the journal is there."""
    state = board.ssh("systemctl is-system-running --wait || true", timeout=UP).strip()
    failed = board.ssh("systemctl --failed --no-legend --plain; systemctl --version | head -n 1")
    assert (state, failed.splitlines()[:-1]) == ("running", [])
    watchdog = board.ssh("systemctl show --property RuntimeWatchdogUSec --value").strip()
    assert watchdog == "30s"
    assert "Reached target" in board.ssh("journalctl --boot --no-pager | grep 'Reached target'")


def expect_agent(board: Running) -> None:
    """systemd runs it, it answers, and the bus starts the bridge to it."""
    assert board.ssh("systemctl is-active ota-agent").strip() == "active"
    assert json.loads(board.ssh("ota-agent status --json"))["running_slot"] == "A"
    bridge = "busctl call io.mender.AuthenticationManager /io/mender/AuthenticationManager"
    said = board.ssh(f"{bridge} io.mender.Authentication1 GetJwtToken")
    assert said.strip() == 'ss "" ""'


def expect_log_of_the_trial(board: Running) -> None:
    """The journal is on /data with the kernel's log, and also without it."""
    (name,) = board.ssh("ls /data/ota/boots").split()
    assert set(board.ssh(f"ls /data/ota/boots/{name}").split()) == {"about", "journal", "kernel"}
    assert "Booting Linux" in board.ssh(f"head -n 1 /data/ota/boots/{name}/kernel")
    journal = board.ssh(f"cat /data/ota/boots/{name}/journal")
    assert "Reached target" in journal
    assert " kernel: " not in journal


def identity(board: Running) -> tuple[str, str]:
    """The machine ID, as systemd knows it, and the host key."""
    key = "/data/etc/dropbear/dropbear_ed25519_host_key"
    return (
        board.ssh("systemd-id128 machine-id").strip(),
        board.ssh(f"dropbearkey -y -f {key} | grep ^ssh"),
    )


def expect_writable_where_it_should_be(board: Running) -> None:
    """The slot is not writable, /var is until the next reboot, and changes of /data stay."""
    board.ssh("touch /var/lib/x && echo yes > /data/kept && sync")
    assert "Read-only" in board.ssh("touch /etc/x 2>&1 || true")
    assert board.ssh("dpkg-query --show --showformat '${db:Status-Status}' systemd") == "installed"
    assert board.ssh("python3 -c 'import dbus_fast; print(dbus_fast.__name__)'") == "dbus_fast\n"
    assert "10.0.2.3" in board.ssh("resolvectl dns eth0")
