# SPDX-License-Identifier: Apache-2.0
"""A board that runs in QEMU: its console is read, never written to, and SSH is the way in."""

import selectors
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ota_artifact.run import run
from ota_board.board import Board
from ota_board.qemu import arguments

_SSH_OPTIONS = (
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR"),
)


@dataclass
class Running:
    """A board under power.

    Attributes:
        said: all that the console has printed so far.
    """

    console: IO[bytes]
    key: Path
    port: int
    said: str = ""
    _seen: int = 0

    def expect(self, text: str, *, timeout: float) -> str:
        """Wait for a text on the console, behind the last one; gives what stood up to its line.

        Args:
            timeout: the test fails after it [s], with what the console said last.
        """
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.console, selectors.EVENT_READ)
            while (place := self.said.find(text, self._seen)) < 0:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise AssertionError(f"no {text!r} after {timeout:g} s:\n{self.said[-3000:]}")
                piece = self.console.read1(65536)  # type: ignore[attr-defined]
                assert piece, f"the machine ended without {text!r}:\n{self.said[-3000:]}"
                self.said += piece.decode("utf-8", "replace").replace("\r", "")
        before = self.said[self._seen : place + len(text)]
        self._seen = place + len(text)
        return before

    def ssh(self, command: str, *, timeout: float = 120.0) -> str:
        """Run a command on the board; gives what it prints."""
        way = ("ssh", *_SSH_OPTIONS, "-i", str(self.key), "-p", str(self.port), "root@127.0.0.1")
        return run((*way, command), timeout=timeout).decode()

    def restart(self) -> None:
        """Ask the board to restart; the connection may or may not survive the answer."""
        self.ssh("(sleep 1; reboot -f) >/dev/null 2>&1 & exit 0")

    def variables(self) -> dict[str, str]:
        """The bootloader's environment, as Linux sees it."""
        lines = self.ssh("fw_printenv").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@contextmanager
def running(board: Board, disk: Path, u_boot: Path, key: Path) -> Iterator[Running]:
    """The board, powered on; its power is cut when the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = arguments(board, disk, u_boot, ssh_port=port)
    qemu = subprocess.Popen(  # noqa: S603
        [*words, "-monitor", "none", "-serial", "stdio"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert qemu.stdout
    try:
        yield Running(qemu.stdout, key, port)
    finally:
        qemu.kill()
        qemu.wait()
        qemu.stdout.close()
