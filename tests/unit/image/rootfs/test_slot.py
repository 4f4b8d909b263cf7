# SPDX-License-Identifier: Apache-2.0
"""The slot of qemu-arm64 from real packages, built by an ordinary user.

If root runs the tests, the user nobody builds it, unless that user cannot read this tree.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.image.workplace import find_program
from ota_artifact.run import run, stream
from ota_board.load import load_board
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, package_file
from ota_image.packages.choice import choose
from ota_image.packages.recipe import load_recipe
from ota_image.packages.sources import archives
from tests.conftest import TREE_IS_OPEN, requires_program
from tests.house.tree import ROOT

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(300),  # [s] packages may have to be downloaded first
    requires_program("debugfs", package="e2fsprogs"),
    requires_program("depmod", package="kmod"),
    requires_program("setpriv", package="util-linux"),
]

BOARD = load_board(ROOT / "boards" / "qemu-arm64")
NOBODY = 65534
DROPS = os.geteuid() == 0 and TREE_IS_OPEN
# The user nobody may not run an interpreter in root's home; Debian's can run our packages too.
PYTHON = "/usr/bin/python3" if DROPS else sys.executable
PACKAGES = os.pathsep.join(each for each in sys.path if each)
KEY = "ssh-ed25519 AAAA ada@example.org\n"


class User:
    """A user without any rights, with a home and a cache of their own."""

    def __init__(self, home: Path, packages: Sequence[Path]) -> None:
        self.home = home
        self.cache = home / "cache" / "ota-kit"
        (self.cache / "packages").mkdir(parents=True)
        for path in packages:
            shutil.copyfile(path, self.cache / "packages" / path.name)
        (home / "key.pub").write_text(KEY)
        self.take()

    def take(self) -> None:
        """Give the user all files there."""
        if DROPS:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def command(self, *words: str) -> list[str]:
        """The command line of ota-image as that user."""
        drop = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        return [
            *(drop if DROPS else ()),
            *("env", "-C", str(self.home), f"XDG_CACHE_HOME={self.home / 'cache'}"),
            *(f"HOME={self.home}", "PATH=/usr/bin:/bin", "OTA_BOARDS=", "TZ=Asia/Tokyo"),
            f"PYTHONPATH={PACKAGES}",
            *(PYTHON, "-c", "from ota_image.cli.main import entry; entry()"),
            *("rootfs", "qemu-arm64", *words),
        ]

    def build(self, name: str, *words: str) -> Path:
        """Build the slot into a file of the home."""
        run(self.command("--output", name, "--ssh-key", "key.pub", *words), timeout=250)
        return self.home / name

    def leftovers(self) -> list[str]:
        """The files there that are neither results nor kept on purpose."""
        hidden = [*self.home.glob(".*"), *self.cache.rglob(".*")]
        hidden = [path for path in hidden if path.name != ".made"]
        return [str(path.relative_to(self.home)) for path in hidden]


@pytest.fixture(scope="module")
def packages() -> list[Path]:
    """The packages, in this machine's cache."""
    recipe = load_recipe(ROOT / "images" / "minimal.yaml")

    def apt() -> AptRoot:
        return AptRoot("arm64", archives(recipe.suite))

    try:
        chosen = choose(recipe, "arm64", BOARD.kernel.package, apt=apt, is_locked=False, say=print)
    except (ProgramError, ImageError) as error:
        pytest.skip(f"no Debian archive here: {error}")
    return [package_file(each) for each in (*chosen.image, *chosen.kernel)]


def let_in(*folders: Path) -> None:
    """Let every user enter folders; what they allow already stays, as the sticky bit of /tmp."""
    for folder in folders:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o055 != 0o055:
            folder.chmod(mode | 0o055)


@pytest.fixture(scope="module")
def user(packages: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    home = tmp_path_factory.mktemp("user")
    let_in(home, home.parent, home.parent.parent)
    yield User(home, packages)
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def slot(user: User) -> Path:
    """The image, built by an ordinary user."""
    return user.build("slot.ext4")


@pytest.fixture(scope="module")
def files(slot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's files, in a folder."""
    folder = tmp_path_factory.mktemp("files")
    run((find_program("debugfs", package="e2fsprogs"), "-R", f"rdump / {folder}", slot), timeout=60)
    return folder


def stat_of(slot: Path, path: str) -> str:
    argv = (find_program("debugfs", package="e2fsprogs"), "-R", f"stat {path}", slot)
    return run(argv, timeout=30).decode()


def test_the_image_is_as_large_as_the_slot_and_sound(slot: Path) -> None:
    assert slot.stat().st_size == BOARD.partitions.slot
    assert b"clean" in run((find_program("e2fsck", package="e2fsprogs"), "-n", slot), timeout=60)
    assert run((find_program("e2fsck", package="e2fsprogs"), "-fn", slot), timeout=60)
    assert slot.stat().st_blocks * 512 < BOARD.partitions.slot * 3 // 4


def test_owners_and_modes_are_those_of_the_packages(slot: Path) -> None:
    assert "Mode:  0700" in stat_of(slot, "/root")
    shadow = stat_of(slot, "/etc/shadow")
    assert "Mode:  0640" in shadow
    assert "Group:    42" in shadow


def test_nothing_in_it_is_owned_by_the_user_who_built_it(slot: Path) -> None:
    argv = (find_program("debugfs", package="e2fsprogs"), "-f", "-", slot)
    folders = ("/", "/boot", "/etc", "/root/.ssh", "/usr/bin", "/usr/lib/ota", "/lib/modules")
    script = "".join(f"ls -p {folder}\n" for folder in folders)
    lines = run(argv, timeout=30, stdin=script.encode()).decode().splitlines()

    owners = {tuple(line.split("/")[3:5]) for line in lines if line.startswith("/")}
    assert owners == {("0", "0")} | ({("0", "42")} & owners)


def test_every_program_has_its_libraries(files: Path) -> None:
    if not shutil.which("readelf"):
        pytest.skip("no readelf here: apt-get install binutils")
    programs = [
        path
        for path in files.rglob("*")
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF"
        and path.suffix != ".ko"
    ]  # fmt: skip
    said = run(("readelf", "-dW", *programs), timeout=60).decode("utf-8", "replace")
    needed = {
        line.rpartition("[")[2].rstrip("]") for line in said.splitlines() if "(NEEDED)" in line
    }

    there = {path.name for path in files.rglob("*.so*")}
    assert len(programs) > 50
    assert needed - there == set()


def test_kernel_initrd_and_arguments_are_in_the_slot(files: Path) -> None:
    boot = files / "boot"

    assert (boot / "vmlinuz").read_bytes()[:2] == b"\x1f\x8b"  # gzip, as the board wants it
    assert (boot / "initrd.img").stat().st_size < 3_000_000
    text = (boot / "extlinux" / "extlinux.conf").read_text()
    assert "root=${mender_kernel_root}" in text
    [modules] = (files / "usr" / "lib" / "modules").iterdir()
    listed = (modules / "modules.dep").read_text()
    for name in ("ext4.ko", "sdhci-pci.ko", "virtio_net.ko", "vfat.ko", "i6300esb.ko"):
        assert f"/{name}:" in listed.replace(".ko.xz:", ".ko:")
    assert len(listed.splitlines()) < 100


def test_only_the_owner_of_the_key_may_log_in(files: Path) -> None:
    assert (files / "root" / ".ssh" / "authorized_keys").read_text() == KEY
    assert "OTA_DROPBEAR=-s\n" in (files / "etc" / "ota" / "board").read_text()


def test_the_same_packages_give_the_same_bytes_in_another_place(
    slot: Path, packages: list[Path], tmp_path: Path
) -> None:
    let_in(tmp_path, tmp_path.parent, tmp_path.parent.parent)
    other = User(tmp_path / "another" / "home", packages)
    let_in(other.home.parent)

    again = other.build("again.ext4")

    assert digest(again) == digest(slot)
    shutil.rmtree(other.home)


def test_a_second_build_comes_from_the_cache(user: User, slot: Path, files: Path) -> None:
    said = run(user.command("--output", "same.ext4", "--ssh-key", "key.pub", "--json"), timeout=20)

    facts = json.loads(said)
    assert facts["sha256"] == digest(slot) == digest(user.home / "same.ext4")
    names = {each["name"] for each in facts["packages"]}
    [modules] = (files / "usr" / "lib" / "modules").iterdir()
    assert f"linux-image-{modules.name}" in names
    assert {"base-passwd", "busybox-static", "ca-certificates"} <= names


def test_a_build_that_is_terminated_leaves_nothing(user: User, slot: Path) -> None:
    before = sorted(user.cache.glob("*/*"))
    argv = ("timeout", "--signal=TERM", "1.2", *user.command("--output", "x", "--release", "term"))

    with pytest.raises(ProgramError, match="exit code"):
        run(argv, timeout=60)

    assert user.leftovers() == []
    assert sorted(user.cache.glob("*/*")) == before
    assert not (user.home / "x").exists()


def test_the_next_build_removes_what_a_killed_one_left(user: User, slot: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(said: bytes) -> None:
        if b"writing" in said:
            raise KilledError

    argv = user.command("--output", "x", "--release", "kill")
    with pytest.raises(KilledError):
        stream(argv, silence=60, sink=lambda data: None, show=kill)
    assert not (user.home / "x").exists()
    user.build("y", "--release", "kill")

    assert [each for each in user.leftovers() if "/.build." in each] == []


def test_a_full_disk_is_reported_and_leaves_nothing(user: User, slot: Path) -> None:
    script = """
        room=$(($(du -sk "$2" | cut -f1) + 20000))k
        mount -t tmpfs -o size="$room" small "$1" || exit 77
        cp -r "$2/." "$1" && shift 2 || exit 1
        before=$(find . | sort)
        "$@" 2>said; code=$?
        cat said; rm said
        [ "$(find . | sort)" = "$before" ] || find . -name ".*"
        exit $code
    """
    full = user.home / "full"
    full.mkdir()
    user.take()
    small = user.home / "small" / "ota-kit"
    for name in ("packages", "python"):  # it asks no archive then
        shutil.copytree(user.cache / name, small / name, symlinks=True)
    user.take()
    command = user.command("--output", "x", "--release", "full")
    drop, rest = command[: command.index("env")], command[command.index("env") :]
    rest = [word.replace(str(user.home / "cache"), str(full)) for word in rest]
    argv = [*drop, "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
            f"cd {user.home}; {script}", "sh", str(full), str(user.home / "small")]  # fmt: skip

    try:
        said = run([*argv, *rest], timeout=120, success=(3,)).decode()
    except ProgramError as error:
        if re.search("exit code (77|1: unshare:)", str(error)):
            pytest.skip("no user namespaces here")
        raise

    assert "No space left on device" in said
    assert user.leftovers() == []


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
