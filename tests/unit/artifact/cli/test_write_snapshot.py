# SPDX-License-Identifier: Apache-2.0
"""`write rootfs-image -f ssh://…`: the use of the copy and of what the device provides."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from ota_artifact.errors import ProgramError
from tests.unit.artifact.cli.conftest import IMAGE, Command, files_of, header_of

SNAPSHOT = ("write", "rootfs-image", "-n", "golden", "-c", "board", "-f", "ssh://root@board:22")


class Device:
    """Takes the place of `take_snapshot`, whose own tests have a device.

    Attributes:
        calls: the arguments of each call.
        fails: whether the device cannot be reached.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, Path, dict[str, Any]]] = []
        self.fails = False

    def take_snapshot(self, address: str, destination: Path, **options: Any) -> dict[str, str]:
        self.calls.append((address, destination, options))
        destination.write_bytes(IMAGE)
        if self.fails:
            raise ProgramError("ssh: connection refused")
        return {"rootfs-image.version": "old", "rootfs-image.tuned.version": "7"}


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """A device to copy from."""
    found = Device()
    monkeypatch.setattr("ota_artifact.snapshot.take_snapshot", found.take_snapshot)
    return found


def test_the_copy_is_the_payload_and_what_the_device_provides_is_kept(
    command: Command, device: Device, tmp_path: Path
) -> None:
    command.ok(*SNAPSHOT, "-S", "-p 22", "--tmp", tmp_path)

    ((address, place, options),) = device.calls
    assert (address, options["ssh_args"]) == ("ssh://root@board:22", ["-p 22"])
    assert tmp_path in place.parents
    assert not place.exists()
    assert list(files_of(Path("artifact.mender")).values()) == [IMAGE]
    assert header_of(Path("artifact.mender")).payloads[0].provides == {
        "rootfs-image.checksum": hashlib.sha256(IMAGE).hexdigest(),
        "rootfs-image.version": "golden",
        "rootfs-image.tuned.version": "7",
    }


def test_a_device_that_is_not_there_leaves_nothing(
    command: Command, device: Device, tmp_path: Path
) -> None:
    device.fails = True

    done = command(*SNAPSHOT, "--tmp", tmp_path)

    assert (done.code, done.err) == (7, "ota-artifact: ssh: connection refused\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("-v", "4"), ("-n", "a b"), ("-v", "2", "-p", "a:b")])
def test_options_are_checked_before_the_device_is_asked(
    command: Command, device: Device, words: tuple[str, ...]
) -> None:
    done = command(*SNAPSHOT, *words)

    assert done.code in {1, 2}
    assert device.calls == []


@pytest.mark.parametrize(
    "words",
    [("-k", "none"), ("--compression", "brotli"), ("-p", "x"), ("-t", "y"), ("-s", "none")],
)
def test_other_options_are_checked_before_it_too(
    command: Command, device: Device, words: tuple[str, ...]
) -> None:
    done = command(*SNAPSHOT, *words)

    assert done.code == 1
    assert device.calls == []
