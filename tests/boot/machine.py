# SPDX-License-Identifier: Apache-2.0
"""A board in QEMU, started once for each boot: what it says until it resets, and its disk after.

The kernel is a few instructions that print a line and ask for a reset: the boot logic is U-Boot's
own, in the board's own binary, and a boot takes a second.
"""

import os
import selectors
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.run import run
from ota_board.board import Board
from ota_board.environment import Copy, decode, encode
from ota_board.qemu import arguments

_CHUNK = 4096

KERNEL = """
start:  b code
        .word 0
        .quad 0             // where to, from the begin of memory
        .quad 0x10000       // size
        .quad 0xa           // little-endian, 4 KiB pages, anywhere
        .quad 0, 0, 0
        .ascii "ARM\\x64"
        .word 0
code:   adr x1, text
        mov x2, #0x09000000 // PL011
1:      ldrb w3, [x1], #1
        cbz w3, 2f
        str w3, [x2]
        b 1b
2:      ldr w0, =0x84000009 // PSCI SYSTEM_RESET
        hvc #0
        b .
text:   .asciz "KERNEL {name}\\n"
"""
"""Source: Linux, Documentation/arm64/booting.rst (header); QEMU, hw/arm/virt.c (address)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A board with its disk and U-Boot.

    Attributes:
        disk: a working copy, changed by each boot.
        u_boot: ``u-boot.bin``.
    """

    board: Board
    disk: Path
    u_boot: Path

    def boot(self, *, send: bytes = b"", until: str = "", deadline: float = 30.0) -> str:
        """Power on, and give what stood on the console when the machine asked for a reset.

        Args:
            send: typed at once, before anything was printed.
            until: power is cut as soon as this was printed.
            deadline: the test fails after it [s], with what was printed so far.
        """
        qemu = subprocess.Popen(  # noqa: S603
            self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert qemu.stdin
        assert qemu.stdout
        try:
            qemu.stdin.write(send)
            qemu.stdin.flush()
            return _read(qemu.stdout.fileno(), until, deadline)
        finally:
            qemu.kill()
            qemu.wait()
            qemu.stdin.close()
            qemu.stdout.close()

    def copies(self) -> list[Copy | None]:
        """What the two copies of the environment hold."""
        found = []
        with self.disk.open("rb") as file:
            for area in self.board.layout.environment:
                file.seek(area.offset)
                raw = file.read(area.size)
                found.append(decode(raw, is_redundant=True))
        return found

    def variables(self) -> dict[str, str]:
        """The environment, if both copies hold the same."""
        first, second = self.copies()
        assert first
        assert second
        assert first.variables == second.variables
        return first.variables

    def set(self, **changes: str) -> None:
        """Change variables as Linux does in two writes, so that both copies have them."""
        variables = self.variables() | changes
        kept = {name: value for name, value in variables.items() if value}
        for number in (0, 1):
            self.write_copy(number, kept, flag=10 - number)

    def write_copy(self, number: int, variables: dict[str, str], *, flag: int) -> None:
        """Write one copy of the environment."""
        area = self.board.layout.environment[number]
        self._write(area.offset, encode(variables, area.size, flag=flag))

    def spoil(self, offset: int, size: int = 4096) -> None:
        """Overwrite a part of the disk with what it cannot mean."""
        self._write(offset, b"\xa5" * size)

    def _write(self, offset: int, data: bytes) -> None:
        with self.disk.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def _command(self) -> list[str]:
        words = arguments(self.board, self.disk, self.u_boot)
        return [*words, "-monitor", "none", "-serial", "stdio", "-no-reboot"]


def make_kernel(name: str, folder: Path) -> Path:
    """A kernel for 64-bit ARM that says its name and resets."""
    source, binary = folder / f"{name}.s", folder / f"{name}.bin"
    source.write_text(KERNEL.format(name=name))
    tools = "aarch64-linux-gnu-"
    run((f"{tools}as", "-o", folder / f"{name}.o", source), timeout=30)
    run((f"{tools}objcopy", "-O", "binary", folder / f"{name}.o", binary), timeout=30)
    return binary


def _read(descriptor: int, until: str, deadline: float) -> str:
    said, end = b"", time.monotonic() + deadline
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, end - time.monotonic())):
            data = os.read(descriptor, _CHUNK)
            said += data
            text = said.decode("utf-8", "replace").replace("\r", "")
            if not data or (until and until in text):
                return text
    raise AssertionError(f"no end after {deadline:g} s; the console said:\n{said.decode()}")
