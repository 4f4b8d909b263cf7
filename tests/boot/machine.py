# SPDX-License-Identifier: Apache-2.0
"""A board, started once for each boot: its output until it resets, and its disk afterwards.

In QEMU the kernel is a few instructions that print a line and ask for a reset. The boot logic is
that of the board's real U-Boot, and a boot takes a second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.run import Background, run
from ota_board.board import Board
from ota_board.environment import Copy, decode, encode
from ota_hil.console import Console
from ota_hil.qemu import powered

TRIAL_OF_B = {
    "upgrade_available": "1",
    "bootcount": "0",
    "mender_boot_part": "3",
    "mender_boot_part_hex": "3",
}
"""The variables that an agent sets to try slot B."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A board with its disk and U-Boot.

    Attributes:
        disk: a working copy, changed by each boot.
        u_boot: ``u-boot.bin``.
        command: starts a program in place of the board; empty: QEMU.
    """

    board: Board
    disk: Path
    u_boot: Path
    command: tuple[str, ...] = ()

    def put_card(self, *, is_there: bool) -> None:
        """Put the card of the sandbox into its slot, or take it out."""
        absent = self.disk.with_name("no-card")
        if is_there:
            absent.unlink(missing_ok=True)
        else:
            absent.touch()

    def refuse_writes(self, count: int) -> None:
        """Have the card of the sandbox refuse as many writes, from now on."""
        for number in range(100):
            path = self.disk.with_name(f"refuse-{number}")
            if number < count:
                path.touch()
            else:
                path.unlink(missing_ok=True)

    def boot(self, *, send: str = "", until: str = "", deadline: float = 30.0) -> str:
        """Power on; gives the console's output when the machine asked for a reset.

        Args:
            send: typed at once, before anything is printed.
            until: power is cut as soon as this is printed.
            deadline: the test fails after it [s], with what was printed so far.
        """
        with self.powered() as console:
            if send:
                console.send(send)
            if until:
                console.expect(until, timeout=deadline)
            else:
                console.rest(timeout=deadline)
        return console.said

    def copies(self) -> list[Copy | None]:
        """The two copies of the environment."""
        found = []
        with self.disk.open("rb") as file:
            for area in self.board.layout.environment:
                file.seek(area.offset)
                raw = file.read(area.size)
                found.append(decode(raw, is_redundant=True))
        return found

    def variables(self) -> dict[str, str]:
        """The environment, if both copies are equal."""
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
        """Overwrite a part of the disk with bytes that mean nothing there."""
        self._write(offset, b"\xa5" * size)

    @contextmanager
    def powered(self) -> Iterator[Console]:
        """The console of the board, which is on; its power is cut when the block ends."""
        if not self.command:
            with powered(self.board, self.disk, self.u_boot, stops_at_reset=True) as qemu:
                yield qemu.console
            return
        program = Background(self.command)
        console = Console(program.output, program.stdin)
        try:
            yield console
        finally:
            program.kill()
            console.close()
            program.close()

    def _write(self, offset: int, data: bytes) -> None:
        with self.disk.open("r+b") as file:
            file.seek(offset)
            file.write(data)


def make_kernel(name: str, folder: Path) -> Path:
    """A kernel for 64-bit ARM that prints its name and resets."""
    source, binary = folder / f"{name}.s", folder / f"{name}.bin"
    source.write_text(KERNEL.format(name=name))
    tools = "aarch64-linux-gnu-"
    run((f"{tools}as", "-o", folder / f"{name}.o", source), timeout=30)
    run((f"{tools}objcopy", "-O", "binary", folder / f"{name}.o", binary), timeout=30)
    return binary
