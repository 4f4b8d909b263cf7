# SPDX-License-Identifier: Apache-2.0
"""A board in QEMU: its power, reset button, console, and SSH port."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ota_artifact.hold import hold
from ota_artifact.run import Background
from ota_board.board import Board
from ota_board.qemu import arguments, value_of
from ota_hil.console import Console
from ota_hil.errors import HilError

_MONITOR_TIMEOUT = 10.0  # [s] QEMU answers at once, if at all
_LONGEST_SOCKET = 107  # [B] of a path. Source: Linux, unix(7), sun_path
_SHORT_FOLDER = "/tmp"  # noqa: S108 - a folder of our own is made in it


class Qemu:
    """A board in QEMU, off at first.

    Args:
        disk: its image, which the board writes to.
        firmware: what the machine starts: ``u-boot.bin``.
        log: a file to append the console of every power-on to.
        stops_at_reset: whether a reset ends QEMU, and with it the console.

    Attributes:
        ssh_port: on 127.0.0.1 of this host; forwarded to port 22 of the board.
    """

    def __init__(
        self,
        board: Board,
        disk: Path,
        firmware: Path,
        *,
        log: Path | None = None,
        stops_at_reset: bool = False,
    ) -> None:
        self._board, self._disk, self._firmware = board, disk, firmware
        self._log = log
        self._options: Sequence[str] = ("-no-reboot",) if stops_at_reset else ()
        self._program: Background | None = None
        self._console: Console | None = None
        self._held = ExitStack()
        self._folder = _socket_folder()
        self.ssh_port = _free_port()

    @property
    def console(self) -> Console:
        """The console since the last power-on, which can still be read after power-off.

        Raises:
            HilError: the board was never on.
        """
        if self._console is None:
            raise HilError(f"{self._board.name}: was never powered on")
        return self._console

    @property
    def is_on(self) -> bool:
        """Whether it has power; with ``stops_at_reset``, a reset takes it away."""
        return self._program is not None and self._program.is_running

    def on(self) -> None:
        """Switch the power on.

        Raises:
            HilError: it is on.
            BoardError: QEMU has no machine for the board.
            ProgramError: QEMU is not installed.
            BlockingIOError: another process uses the disk.
        """
        if self.is_on:
            raise HilError(f"{self._board.name}: is already on")
        self.off()
        words = arguments(self._board, self._disk, self._firmware, ssh_port=self.ssh_port)
        words += ["-monitor", "none", "-serial", "stdio"]
        words += ["-qmp", f"unix:{value_of(self._socket)},server=on,wait=off", *self._options]
        # QEMU itself does not protect the image: its SD card lets others write to it.
        self._held.enter_context(hold(self._disk, remedy="wait until it has ended"))
        self._program = Background(words)
        self._console = Console(self._program.output, self._program.stdin, log=self._log)

    def off(self) -> None:
        """Cut the power, whatever the board does; harmless if it is off.

        The disk keeps all that QEMU has written, flushed by the board or not: it does not lose
        writes as a real one may.
        """
        if self._program is not None and self._console is not None:
            self._program.kill()
            self._console.close()
            self._program.close()
            self._program = None
        self._held.close()

    def reset(self) -> None:
        """Push the reset button: the board starts again, and its power stays on.

        Raises:
            HilError: it is off, or QEMU does not answer.
        """
        if not self.is_on:
            raise HilError(f"{self._board.name}: is off and cannot be reset")
        self._ask("system_reset")

    def close(self) -> None:
        """Power off, for good."""
        self.off()
        self._folder.cleanup()

    @property
    def _socket(self) -> Path:
        return Path(self._folder.name) / "monitor"

    def _ask(self, command: str) -> None:
        """Make QEMU execute a command. Source: QEMU, docs/interop/qmp-spec.txt."""
        try:
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.settimeout(_MONITOR_TIMEOUT)
                monitor.connect(str(self._socket))
                with monitor.makefile("rw", encoding="utf-8") as lines:
                    lines.readline()  # the greeting
                    for word in ("qmp_capabilities", command):
                        lines.write(json.dumps({"execute": word}) + "\n")
                        lines.flush()
                        answer: dict[str, Any] = {"event": ""}
                        while "event" in answer:
                            answer = json.loads(lines.readline() or '{"error": "QEMU has ended"}')
                        if "error" in answer:
                            raise HilError(f"QEMU: {word}: {answer['error']}")
        except OSError as error:
            raise HilError(f"QEMU: {command}: {error}") from error


@contextmanager
def powered(
    board: Board,
    disk: Path,
    firmware: Path,
    *,
    log: Path | None = None,
    stops_at_reset: bool = False,
) -> Iterator[Qemu]:
    """A board that is on; its power is cut when the block ends. See `Qemu`."""
    machine = Qemu(board, disk, firmware, log=log, stops_at_reset=stops_at_reset)
    try:
        machine.on()
        yield machine
    finally:
        machine.close()


def _socket_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder for a socket; not in a TMPDIR whose path is too long for one."""
    longest = Path(tempfile.gettempdir(), "ota-qemu-12345678", "monitor")
    is_short = len(os.fsencode(longest)) <= _LONGEST_SOCKET
    return tempfile.TemporaryDirectory(prefix="ota-qemu-", dir=None if is_short else _SHORT_FOLDER)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
