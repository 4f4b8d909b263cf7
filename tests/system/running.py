# SPDX-License-Identifier: Apache-2.0
"""A board that runs in QEMU: tests read its console, never write to it, and log in by SSH."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ota_board.board import Board
from ota_hil.link import Ssh
from ota_hil.qemu import Qemu, powered


@dataclass(frozen=True, slots=True)
class Running:
    """A board under power, and what tests do to it again and again."""

    qemu: Qemu
    way_in: Ssh

    @property
    def said(self) -> str:
        """All that the console has printed since power-on."""
        return self.qemu.console.said

    def expect(self, text: str, *, timeout: float) -> str:
        """Wait for a text on the console, after the last match; gives the output up to it."""
        return self.qemu.console.expect(text, timeout=timeout)

    def ssh(self, command: str, *, timeout: float = 120.0) -> str:
        """Run a command on the board; gives what it prints."""
        return self.way_in.run(command, timeout=timeout)

    def comes_up_on(self, slot: str, *, timeout: float = 300.0) -> None:
        """Wait until the board runs from a slot and can be reached."""
        self.expect(f"ota: slot {slot}, release ", timeout=timeout)
        self.is_reached(timeout=timeout)

    def is_reached(self, *, timeout: float = 300.0) -> None:
        """Wait until the board has a network; it may have to make a filesystem first."""
        self.expect("ota: network: ", timeout=timeout)
        self.expect(" has ", timeout=timeout)

    def agent_is_up(self) -> None:
        """Wait until the agent serves; by then it has repaired the environment, if it had to."""
        self.ssh("until [ -S /run/ota/agent.sock ]; do sleep 0.2; done", timeout=300)

    def restart(self) -> None:
        """Reboot the board; the connection may or may not survive the answer."""
        self.ssh("(sleep 1; reboot -f) >/dev/null 2>&1 & exit 0")

    def variables(self) -> dict[str, str]:
        """U-Boot's environment, as Linux sees it."""
        lines = self.ssh("fw_printenv").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def set(self, **changes: str) -> None:
        """Change variables of U-Boot's environment from Linux, in one write."""
        lines = "".join(f"{name}={value}\n" for name, value in changes.items())
        self.way_in.run("fw_setenv -s -", stdin=lines.encode())


@contextmanager
def running(board: Board, disk: Path, firmware: Path, key: Path) -> Iterator[Running]:
    """The board, powered on; its power is cut when the block ends."""
    with powered(board, disk, firmware) as qemu:
        yield Running(qemu, Ssh(host="127.0.0.1", port=qemu.ssh_port, key=key))
