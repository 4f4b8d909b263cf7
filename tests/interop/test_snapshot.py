# SPDX-License-Identifier: Apache-2.0
"""A root filesystem from a running device: a real ssh and sshd, on loopback, with a fake Mender.

The device's programs are scripts in a folder that sshd puts first in $PATH.
"""

import os
import pty
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.run import run
from ota_artifact.snapshot import take_snapshot
from tests.conftest import requires_program
from tests.interop.sshd import find_sshd, settings_of, started_by_root

pytestmark = [
    requires_program("ssh", package="openssh-client"),
    requires_program("mke2fs", package="e2fsprogs"),
]

_MARKS_OF_ROOT = {"id": "echo 0"}
_PROVIDES = """
echo 'artifact_name=release-1'
echo 'rootfs-image.version=release-1'
echo 'rootfs-image.checksum=of what was installed'
echo 'rootfs-image.app.version=a=b'
"""


@dataclass(kw_only=True)
class Device:
    """A loopback sshd.

    Attributes:
        address: of it.
        programs: the folder where it finds programs first.
        image: the file that its fake mender-snapshot dumps.
        ssh_args: a configuration of ssh that knows it.
        known: ssh's list of known hosts.
    """

    address: str
    programs: Path
    image: Path
    ssh_args: tuple[str, ...]
    known: Path
    scripts: list[Path] = field(default_factory=list)

    def install(self, **programs: str) -> None:
        """Put shell scripts on the device; an underscore is a hyphen."""
        for name, script in programs.items():
            path = self.programs / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            path.chmod(0o755)
            self.scripts.append(path)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    try:
        sshd = find_sshd()
    except ProgramError as error:
        pytest.skip(f"no sshd here: {error}")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "login"):
        run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name), timeout=20)
    image, programs, known = folder / "image", folder / "bin", folder / "known"
    run((_found("mke2fs"), "-q", "-t", "ext4", image, "4M"), timeout=20)
    programs.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/login.pub\nStrictModes no\nUsePAM no\nUseDNS no\n"
        f"SetEnv PATH={programs}:/usr/bin:/bin\n{settings_of(sshd)}",
        encoding="utf-8",
    )
    known.write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}", encoding="utf-8")
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/login\nIdentitiesOnly yes\nStrictHostKeyChecking yes\n"
        f"UserKnownHostsFile {known}\nGlobalKnownHostsFile /dev/null\nBatchMode yes\n",
        encoding="utf-8",
    )
    options = ("-D", "-e", "-f", str(folder / "sshd_config"))
    with (
        started_by_root(sshd, folder) as words,
        (folder / "log").open("wb") as log,
        subprocess.Popen((*words, *options), stderr=log) as server_of_device,  # noqa: S603
    ):
        try:
            _wait_for(port, server_of_device, folder / "log")
            ssh_args = ("-F", str(folder / "ssh_config"))
            yield Device(
                address=f"ssh://127.0.0.1:{port}",
                programs=programs,
                image=image,
                ssh_args=ssh_args,
                known=known,
            )
        finally:
            server_of_device.terminate()


@pytest.fixture
def device(running: Device) -> Iterator[Device]:
    """A device with mender-snapshot and mender-update, and a login that counts as root's."""
    running.install(
        mender_snapshot=f"cat {running.image}", mender_update=_PROVIDES, **_MARKS_OF_ROOT
    )
    known = running.known.read_text(encoding="utf-8")
    yield running
    running.known.write_text(known, encoding="utf-8")
    for path in running.scripts:
        path.unlink(missing_ok=True)
    running.scripts.clear()


def _found(name: str) -> str:
    path = shutil.which(name)
    assert path
    return path


def _wait_for(port: int, sshd: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and sshd.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"sshd does not answer: {log.read_text()}")


def test_the_image_of_the_device_arrives_as_it_is(device: Device, tmp_path: Path) -> None:
    take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)

    assert (tmp_path / "image").read_bytes() == device.image.read_bytes()


def test_zeros_of_the_device_take_no_space_here(device: Device, tmp_path: Path) -> None:
    take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)

    assert (tmp_path / "image").stat().st_blocks * 512 < device.image.stat().st_size / 2


def test_what_the_device_provides_comes_along_without_checksums(
    device: Device, tmp_path: Path
) -> None:
    provides = take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)

    assert provides == {
        "rootfs-image.version": "release-1",
        "rootfs-image.app.version": "a=b",
    }


def test_progress_knows_the_whole_from_the_filesystem(device: Device, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    take_snapshot(
        device.address,
        tmp_path / "image",
        ssh_args=device.ssh_args,
        progress=lambda done, total: told.append((done, total)),
    )

    assert told[-1] == (4 << 20, 4 << 20)
    assert told[0][1] == 0


def test_a_device_with_the_older_client_is_copied_too(device: Device, tmp_path: Path) -> None:
    for name in ("mender-snapshot", "mender-update"):
        (device.programs / name).unlink()
    device.install(
        mender=f'case "$*" in "snapshot dump") cat {device.image};;'
        " show-provides) echo rootfs-image.version=old;; esac"
    )

    provides = take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)

    assert (tmp_path / "image").read_bytes() == device.image.read_bytes()
    assert provides == {"rootfs-image.version": "old"}


def test_a_login_without_root_uses_sudo_which_must_not_ask(device: Device, tmp_path: Path) -> None:
    device.install(id="echo 1000", sudo=f'printf %s "$1" > {tmp_path}/option; shift; exec "$@"')

    take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)

    assert (tmp_path / "image").read_bytes() == device.image.read_bytes()
    assert (tmp_path / "option").read_text() == "-n"


def test_sudo_may_ask_if_a_user_sees_the_question(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.install(
        id="echo 1000",
        sudo=f'echo password: >&2; head -n 1 > {tmp_path}/typed; shift; exec "$@"',
    )
    (tmp_path / "stdin").write_text("secret\nnot read\n", encoding="utf-8")
    shown: list[bytes] = []

    with (tmp_path / "stdin").open("rb") as stdin, _stdin(stdin.fileno()):
        take_snapshot(
            device.address, tmp_path / "image", ssh_args=device.ssh_args, show=shown.append
        )

    assert b"".join(shown) == b"password:\n"
    assert (tmp_path / "typed").read_text() == "secret\n"


@contextmanager
def _stdin(descriptor: int) -> Iterator[None]:
    """Our descriptor 0 is another file for a while."""
    saved = os.dup(0)
    os.dup2(descriptor, 0)
    yield
    os.dup2(saved, 0)
    os.close(saved)


def test_greetings_before_the_filesystem_are_left_out(device: Device, tmp_path: Path) -> None:
    device.install(id="echo 1000", sudo="echo 'Welcome! = hello'; shift; exec \"$@\"")
    device.install(mender_update="echo noise")

    provides = take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)

    assert (tmp_path / "image").read_bytes() == device.image.read_bytes()
    assert provides == {}


@dataclass(frozen=True)
class _Failing:
    """Programs on the device, and the text of the error."""

    programs: dict[str, str]
    message: str
    error: type[Exception] = ProgramError


_FAILING = {
    "sudo asks for a password": _Failing(
        {"id": "echo 1000", "sudo": "echo 'sudo: a password is required' >&2; exit 1"},
        "did not start the copy, exit code 1; log in as root, or allow sudo: sudo: a password",
    ),
    "the dump fails": _Failing(
        {"mender-snapshot": "echo 'no such device' >&2; exit 5"},
        "the copy stopped after 0 B, with exit code 5: no such device",
    ),
    "the dump fails in the middle": _Failing(
        {"mender-snapshot": "head -c 100000 /dev/zero; echo 'I/O error' >&2; exit 1"},
        "the copy stopped after 100000 B, with exit code 1: I/O error",
    ),
    "the dump is cut and says nothing": _Failing(
        {"mender-snapshot": "head -c 3000000 {image}"},
        "sent only 3000000 B of a filesystem of 4194304 B; try again",
        ArtifactError,
    ),
    "the dump is empty": _Failing(
        {"mender-snapshot": "exit 0"},
        "sent 0 B that are not a known filesystem",
        ArtifactError,
    ),
    "the dump is something else": _Failing(
        {"mender-snapshot": "echo Usage: mender-snapshot"},
        "sent 23 B that are not a known filesystem",
        ArtifactError,
    ),
    "show-provides fails": _Failing(
        {"mender-update": "echo 'database is locked' >&2; exit 1"},
        "does not say what it provides: database is locked",
    ),
    "it talks without end": _Failing(
        {"mender-update": "yes"}, "the device sends text but no filesystem"
    ),
}


@pytest.mark.parametrize("case", _FAILING.values(), ids=_FAILING)
def test_a_failure_on_the_device_is_reported(
    device: Device, tmp_path: Path, case: _Failing
) -> None:
    for name, script in case.programs.items():
        device.install(**{name: script.replace("{image}", str(device.image))})

    with pytest.raises(case.error) as caught:
        take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)

    assert case.message in str(caught.value)


def test_a_device_without_mender_is_told_what_to_install(device: Device, tmp_path: Path) -> None:
    (device.programs / "mender-snapshot").unlink()

    with pytest.raises(ProgramError, match="install mender-snapshot"):
        take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)


def test_a_device_with_another_host_key_is_not_copied(device: Device, tmp_path: Path) -> None:
    run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"), timeout=20)
    host = device.known.read_text(encoding="utf-8").split(" ", 1)[0]
    device.known.write_text(f"{host} {(tmp_path / 'other.pub').read_text()}", encoding="utf-8")

    with pytest.raises(ProgramError, match=r"(?s)could not log in: .*HOST IDENTIFICATION"):
        take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args)


def test_a_device_that_does_not_listen_is_reported(device: Device, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(ProgramError, match=r"could not log in: .*refused"):
        take_snapshot(f"ssh://127.0.0.1:{port}", tmp_path / "image", ssh_args=device.ssh_args)


def test_an_error_while_storing_ends_ssh(device: Device, tmp_path: Path) -> None:
    device.install(mender_snapshot=f"echo $$ > {tmp_path}/pid; yes")

    def full(done: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        take_snapshot(device.address, tmp_path / "image", ssh_args=device.ssh_args, progress=full)

    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "mender-snapshot still runs"
        time.sleep(0.02)


@pytest.mark.boot
def test_the_command_writes_an_artifact_of_a_device(device: Device, tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("ota-artifact")
    ssh_args = [f"--ssh-args={word}" for word in device.ssh_args]

    words = ("write", "rootfs-image", "-c", "board", "-n", "copy", "-f", device.address)
    run((command, *words, *ssh_args, "-o", tmp_path / "copy.mender"), timeout=30)

    told = run((command, "read", tmp_path / "copy.mender"), timeout=30).decode()
    assert "rootfs-image.app.version: a=b" in told


@pytest.mark.boot
def test_a_password_that_is_typed_for_sudo_is_not_shown(device: Device, tmp_path: Path) -> None:
    device.install(
        id="echo 1000",
        sudo=f'printf password: >&2; head -n 1 > {tmp_path}/typed; shift; exec "$@"',
    )
    ssh_args = [f"--ssh-args={word}" for word in device.ssh_args]
    command = Path(sys.executable).with_name("ota-artifact")
    words = ("write", "rootfs-image", "-c", "board", "-n", "copy", "-f", device.address)
    ours, its = pty.openpty()

    with subprocess.Popen(  # noqa: S603
        (command, *words, *ssh_args, "-o", tmp_path / "copy.mender"), stdin=its, stderr=its
    ) as program:
        os.close(its)
        seen = b""
        while b"password:" not in seen:
            seen += os.read(ours, 1000)
        os.write(ours, b"secret\n")
        code = program.wait(30)
    with suppress(OSError):  # EIO: the other end is closed
        while piece := os.read(ours, 1000):
            seen += piece
    os.close(ours)

    assert code == 0
    assert (tmp_path / "typed").read_text() == "secret\n"
    assert b"secret" not in seen
