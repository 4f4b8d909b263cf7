# SPDX-License-Identifier: Apache-2.0
"""Composing as nobody, killed half way, and without space: what is there, and what is left."""

import io
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_open_tree, requires_program
from tests.unit.image.disk.small import ext4, small_board_folder, tree

pytestmark = [
    pytest.mark.boot,
    requires_open_tree,
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
    requires_program("fakeroot", package="fakeroot"),
]

PING = bytes.fromhex("0100000200200000000000000000000000000000")
"""A file capability: cap_net_raw+ep. Source: linux/capability.h, vfs_cap_data."""

# Nobody may not run an interpreter in root's home; Debian's runs our packages as well.
PYTHON = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable
MAIN = (PYTHON, "-c", "from ota_image.cli.main import entry; entry()")
PACKAGES = {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that nobody may write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


CODES = {
    signal.SIGKILL: -signal.SIGKILL,
    signal.SIGTERM: 128 + signal.SIGTERM,
    signal.SIGINT: 130,
}


def as_nobody(argv: Sequence[object]) -> list[str]:
    words = [str(each) for each in argv]
    if os.geteuid() != 0:
        return words
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *words]


def compose(place: Path, rootfs: Path, *more: object) -> list[str]:
    """The command that makes place/out/test.sdimg, as nobody."""
    board = small_board_folder(place, "qemu-arm64")
    (place / "out").mkdir(exist_ok=True)
    (place / "out").chmod(0o777)
    output = place / "out" / "test.sdimg"
    words = [*MAIN, "compose", board, "--rootfs", rootfs, "--output", output, *more]
    return as_nobody(words)


def archive(path: Path) -> Path:
    """A root filesystem with what an ordinary user cannot make."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        for name, uid, mode in (
            ("bin/su", 0, 0o4755),
            ("bin/ping", 0, 0o755),
            ("home/user/secret", 1000, 0o400),
            ("root/none", 0, 0),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid, member.gid = 3, mode, uid, uid
            if name == "bin/ping":
                value = PING.decode("utf-8", "surrogateescape")
                member.pax_headers = {"SCHILY.xattr.security.capability": value}
            tar.addfile(member, io.BytesIO(b"abc"))
        console = tarfile.TarInfo("dev/console")
        console.type, console.devmajor, console.devminor, console.mode = (
            tarfile.CHRTYPE,
            5,
            1,
            0o600,
        )
        tar.addfile(console)
    return path


def stat(image: Path, path: str) -> str:
    """Mode, owner, group of a file of slot A."""
    said = run(("debugfs", "-R", f"stat {path}", f"{image}?offset={28 << 20}"), timeout=10).decode()
    found = re.search(r"Type: (\w+).*Mode: +(\d+).*User: +(\d+) +Group: +(\d+)", said, re.DOTALL)
    assert found, said
    kind, mode, *owners = found.groups()
    return " ".join((kind, f"{int(mode, 8):o}", *owners))


def test_nobody_makes_an_image_with_owners_devices_and_capabilities(place: Path) -> None:
    run(compose(place, archive(place / "rootfs.tar")), timeout=60, environment=PACKAGES)

    image = place / "out" / "test.sdimg"
    assert stat(image, "/bin/su") == "regular 4755 0 0"
    assert stat(image, "/home/user/secret") == "regular 400 1000 1000"
    assert stat(image, "/root/none") == "regular 0 0 0"
    assert stat(image, "/dev/console").startswith("character 600 0 0")
    slot = f"{image}?offset={28 << 20}"
    shown = run(("debugfs", "-R", "ea_get -x /bin/ping security.capability", slot), timeout=10)
    assert bytes.fromhex(shown.decode().partition("=")[2]) == PING
    run(("e2fsck", "-fn", slot), timeout=10)


def test_what_is_nobodys_in_a_folder_becomes_roots(place: Path) -> None:
    folder = tree(place / "tree", {"bin/su": b"su"})
    if os.geteuid() == 0:
        run(("chown", "-R", "65534:65534", folder), timeout=10)
    (folder / "bin/su").chmod(0o4755)

    run(compose(place, folder, "--data", folder), timeout=60, environment=PACKAGES)

    image = place / "out" / "test.sdimg"
    assert stat(image, "/bin/su") == "regular 4755 0 0"
    assert stat(image, "/") == "directory 755 0 0"


@requires_program("fakeroot", package="fakeroot")
def test_within_fakeroot_the_owners_are_those_that_it_shows(place: Path) -> None:
    folder = tree(place / "tree")
    if os.geteuid() == 0:
        run(("chown", "-R", "65534:65534", folder), timeout=10)
    inner = compose(place, folder)
    if os.geteuid() == 0:
        inner = inner[5:]
    script = 'chown 7:8 "$1/etc/os-release"; shift; exec "$@"'

    run(
        as_nobody(["fakeroot", "sh", "-c", script, "sh", folder, *inner]),
        timeout=60,
        environment=PACKAGES,
    )

    assert stat(place / "out" / "test.sdimg", "/etc/os-release") == "regular 644 7 8"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_ended_half_way_leaves_nothing(
    place: Path, number: signal.Signals
) -> None:
    (place / "temporary").mkdir(mode=0o777)
    (place / "temporary").chmod(0o777)
    rootfs = ext4(place / "rootfs.ext4")
    with subprocess.Popen(  # noqa: S603
        compose(place, rootfs),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **PACKAGES, "TMPDIR": str(place / "temporary")},
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "slot B" in line:
                process.send_signal(number)
                break
        rest = process.stderr.read()

    assert process.returncode == CODES[number], rest
    assert list((place / "out").iterdir()) == []
    if number != signal.SIGKILL:
        assert list((place / "temporary").iterdir()) == []


def test_without_space_the_command_says_so_and_leaves_nothing(place: Path) -> None:
    rootfs = ext4(place / "rootfs.ext4", tree(place / "tree", {"large": os.urandom(3 << 20)}))
    command = compose(place, rootfs)
    command = command[5:] if os.geteuid() == 0 else command
    script = """
        mount -t tmpfs -o size=2m none "$1" || exit 77
        out=$1; shift; "$@"; code=$?; ls -A "$out"; exit $code
    """
    words = ["unshare", "-rm", "sh", "-c", script, "sh", place / "out", *command]

    done = subprocess.run(  # noqa: S603
        as_nobody(words),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **PACKAGES},
    )

    if done.returncode in (1, 77) and "ota-image" not in done.stderr:
        pytest.skip("no user namespaces with a mount here")
    assert (done.returncode, done.stdout) == (3, "")
    assert "No space left on device" in done.stderr
