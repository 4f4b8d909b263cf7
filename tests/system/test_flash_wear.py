# SPDX-License-Identifier: Apache-2.0
"""What one update writes to the disk outside of its slot, from the deployment to the commit."""

import os
import shutil
import struct
import time
from collections import Counter
from pathlib import Path

import pytest

import ota_hil.qemu
from ota_board.board import Board
from ota_board.qemu import arguments, value_of
from tests.conftest import requires_program
from tests.simulators.certificates import make
from tests.simulators.mender_server import mender_server
from tests.system.running import running
from tests.system.test_deployments import HOST, build, wait_for_end

pytestmark = [
    pytest.mark.full,  # minutes: an install of 128 MiB and two boots under emulation
    pytest.mark.timeout(1800),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

SECTOR = 512
ENTRY = struct.Struct("<QQQQ")
"""Sector, sectors, flags, length of a mark. Source: Linux, drivers/md/dm-log-writes.c."""
DISCARD = 4
"""The flag of an entry without data. Source: the same."""

MOST = 2 << 20
"""What an update may write outside of its slot [B]; docs/design/data.md has what it does write."""

QUIET = 40  # [s] ext4 and the kernel's write-back need 35


def test_an_update_writes_little_outside_of_its_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "writes"
    log.touch()

    def with_log(board: Board, disk: Path, firmware: Path, *, ssh_port: int) -> list[str]:
        """QEMU's command line, with a log of what is written to the disk."""
        plain = f"format=raw,file={value_of(disk)}"
        logged = (
            "driver=blklogwrites,log-sector-size=512"
            f",file.driver=raw,file.file.driver=file,file.file.filename={value_of(disk)}"
            f",log.driver=file,log.filename={value_of(log)}"
        )
        words = arguments(board, disk, firmware, ssh_port=ssh_port)
        return [word.replace(plain, logged) for word in words]

    monkeypatch.setattr(ota_hil.qemu, "arguments", with_log)
    certificate = make(tmp_path, "server", hosts=(HOST, "127.0.0.1"))
    with mender_server(certificate=certificate) as server:
        image = build(server, certificate, tmp_path)
        disk = tmp_path / "disk.sdimg"
        shutil.copyfile(image.built.image, disk)
        with running(image.board, disk, image.firmware, image.key) as board:
            board.comes_up_on("A")
            board.agent_is_up()
            time.sleep(QUIET)
            before = written(image.board, log)
            assert wait_for_end(server.fleet.deploy(image.built.artifact)) == "success"
            time.sleep(QUIET)

            found = written(image.board, log) - before

    print("\n".join(f"| {name} | {size / 1024:.0f} |" for name, size in sorted(found.items())))
    assert found["B"] > 1 << 20
    assert not found["A"]
    assert sum(found.values()) - found["B"] < MOST


def written(board: Board, log: Path) -> Counter[str]:
    """How much was written to each area of a disk until now [B]."""
    found: Counter[str] = Counter()
    with log.open("rb") as file:
        file.seek(SECTOR)  # the log's own header
        while any(entry := file.read(SECTOR)):
            sector, count, flags, _ = ENTRY.unpack_from(entry)
            if flags & DISCARD:
                continue
            file.seek(count * SECTOR, os.SEEK_CUR)
            begin = sector * SECTOR
            areas = board.layout.areas
            names = (each.name for each in areas if each.offset <= begin < each.end)
            found[next(names, "between")] += count * SECTOR
    return found
