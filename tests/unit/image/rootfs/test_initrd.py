# SPDX-License-Identifier: Apache-2.0
"""The initrd, unpacked again; its script runs where possible."""

import gzip
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_board.board import Watchdog
from ota_image.rootfs import initrd as initrd_module
from ota_image.rootfs.initrd import cpio, initrd
from ota_image.rootfs.modules import Module


def records(archive: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Name, mode and content of each member. Source: Linux, buffer-format.rst."""
    place = 0
    while True:
        assert archive[place : place + 6] == b"070701"
        fields = [int(archive[place + 6 + 8 * n : place + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[place + 110 : place + 110 + length - 1].decode()
        start = -(-(place + 110 + length) // 4) * 4
        if name == "TRAILER!!!":
            assert set(archive[start:]) <= {0}
            return
        yield name, mode, archive[start : start + size]
        place = -(-(start + size) // 4) * 4


@pytest.fixture
def modules(tmp_path: Path) -> list[Module]:
    """Two modules; the second one must be loaded first."""
    found = []
    for name in ("sdhci", "ext4"):
        path = tmp_path / f"{name}.ko"
        path.write_bytes(name.encode())
        found.append(Module(name, path))
    return found


def test_it_holds_busybox_the_modules_and_their_order(modules: list[Module]) -> None:
    files = {name: (mode, content) for name, mode, content in records(gzip.decompress(
        initrd(b"busybox", modules)
    ))}  # fmt: skip

    assert files["bin/busybox"] == (0o100755, b"busybox")
    assert files["bin/sh"] == (0o120777, b"busybox")
    assert files["modules/ext4.ko"][1] == b"ext4"
    assert files["modules/order"][1] == b"sdhci.ko\next4.ko\n"
    assert files["init"][1].startswith(b"#!/bin/sh\n")
    assert {"dev", "proc", "root", "sys"} <= files.keys()


def test_a_folder_comes_before_what_is_in_it(modules: list[Module]) -> None:
    seen: set[str] = {""}
    for name, mode, _ in records(gzip.decompress(initrd(b"busybox", modules))):
        assert name.rpartition("/")[0] in seen
        if stat.S_ISDIR(mode):
            seen.add(name)


def test_the_same_parts_give_the_same_bytes(modules: list[Module]) -> None:
    assert initrd(b"busybox", modules) == initrd(b"busybox", modules)


def test_neither_name_nor_time_is_in_the_compressed_form(modules: list[Module]) -> None:
    head = initrd(b"busybox", modules)[:10]

    assert head[3:8] == bytes(5)


def test_the_archive_is_whole_blocks() -> None:
    assert len(cpio({"a": (0o100644, b"x" * 700)})) % 512 == 0


def test_the_script_is_right_for_a_posix_shell() -> None:
    script = Path(initrd_module.__file__).with_name("init.sh")

    assert run(("sh", "-n", script), timeout=10) == b""


def test_every_program_of_the_script_is_an_applet_of_the_initrd() -> None:
    script = Path(initrd_module.__file__).with_name("init.sh").read_text("utf-8")
    names = {name for name, _, _ in records(cpio_of_initrd())}

    for applet in (
        *("mount", "insmod", "sleep", "switch_root", "reboot", "cat", "sync"),
        *("grep", "kill", "rm", "timeout", "tr", "watchdog"),
    ):
        assert f"{applet} " in script or f"{applet}\n" in script
        assert f"bin/{applet}" in names


def cpio_of_initrd() -> bytes:
    return gzip.decompress(initrd(b"", []))


def test_it_knows_the_watchdog_that_it_starts() -> None:
    watchdog = Watchdog(driver="bcm2835-wdt", armed_by="kernel", timeout=15, stopped_by="nobody")

    files = {
        name: content for name, _, content in records(gzip.decompress(initrd(b"", [], watchdog)))
    }

    assert files["watchdog"] == b"bcm2835_wdt 15\n"


@pytest.mark.parametrize(
    "watchdog",
    [
        None,
        Watchdog(driver="", armed_by="u-boot", timeout=60, stopped_by="nobody"),
        Watchdog(driver="x_wdt", armed_by="nobody", timeout=0, stopped_by="nobody"),
    ],
)
def test_without_a_watchdog_that_linux_serves_it_starts_none(watchdog: Watchdog | None) -> None:
    names = {name for name, _, _ in records(gzip.decompress(initrd(b"", [], watchdog)))}

    assert "watchdog" not in names
