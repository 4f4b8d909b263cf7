# SPDX-License-Identifier: Apache-2.0
"""GRUB as a program of the host, grub-emu: an image's own configuration, on the image itself.

Script engine, filesystems and the writing of environment blocks are GRUB's own. It cannot start a
kernel of the image, and has no serial port: functions take the place of `linux` and `initrd` and
check that the files exist, and the run ends where a kernel would start. The functions have other
names, since GRUB 2.12 has a `linux` here, for kernels of the host, and prefers it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.grub_block import LOCKED, decode_block, encode_copy
from ota_artifact.image.filesystem import open_filesystem
from ota_artifact.image.vfat import FatFilesystem
from ota_artifact.run import run
from ota_board.board import Board
from ota_board.grub import COPIES

START = """\
function serial {
	return 1
}
function emulated_linux {
	if [ ! -f "${1}" ]; then
		return 1
	fi
	kernel_says="${4} ${5} ${6}"
}
function emulated_initrd {
	if [ ! -f "${1}" ]; then
		return 1
	fi
	echo "KERNEL ${kernel_says}"
	reboot
}
"""

CONFIGURATION = "/EFI/debian/grub.cfg"

PLACES = {"cmdpath": "(hd0,gpt1)/EFI/BOOT"}
"""Where GRUB says that it was started from, as Debian 12's and GNU's own do."""

TRIAL_OF_B = {"mender_boot_part": "3", "upgrade_available": "1", "bootcount": "0"}
COMMITTED_B = {
    "mender_boot_part": "3",
    "upgrade_available": "0",
    "bootcount": "0",
    "ota_good_b": "1",
}
"""What our agent sets to try slot B, and to commit it."""

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Machine:
    """A disk, and a folder for what the emulator needs.

    Attributes:
        disk: changed by each boot.
    """

    board: Board
    disk: Path
    folder: Path

    def boot(
        self,
        *,
        places: Mapping[str, str] = PLACES,
        is_read_only: bool = False,
        deadline: float = 20,
    ) -> str:
        """Start it; gives the console's output until the reset.

        Args:
            places: the variables that say where GRUB was started from; the others are not set.
            is_read_only: nothing can be written to the disk.
            deadline: the test fails after it [s].
        """
        known = ("cmdpath", "fw_path", "prefix", "root")
        given = "".join(
            f'set {name}="{places[name]}"\n' if name in places else f"unset {name}\n"
            for name in known
        )
        (self.folder / "grub.cfg").write_text(START + given + self._configuration())
        (self.folder / "device.map").write_text(f"(hd0) {self.disk}\n")
        argv = ["grub-emu", "-d", str(self.folder), "-m", f"{self.folder}/device.map", "-r", "host"]
        if is_read_only:
            argv = ["sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh", *argv]
        said = run(argv, timeout=deadline, stdin=b"", environment={"TERM": "dumb"})
        return _ESCAPES.sub("", said.decode("utf-8", "replace")).replace("\r", "")

    def read(self, path: str) -> bytes:
        """A file of the boot partition."""
        copy = self.folder / "copy"
        self._boot().read_file(path, copy)
        return copy.read_bytes()

    def write(self, path: str, data: bytes) -> None:
        """Write a file of the boot partition, in place if it is as long, as all writers do."""
        boot = self._boot()
        if boot.exists(path) and boot.file_size(path) == len(data):
            (place, size), *more = boot.places(path)
            assert not more
            assert size == len(data)
            self.put(place, data)
            return
        copy = self.folder / "copy"
        copy.write_bytes(data)
        boot.write_file(copy, path)

    def put(self, place: int, data: bytes) -> None:
        """Write bytes to a place of the disk [B]."""
        with self.disk.open("r+b") as file:
            file.seek(place)
            file.write(data)

    def place(self, path: str) -> int:
        """Where a file of the boot partition begins on the disk [B]."""
        return self._boot().places(path)[0][0]

    def remove(self, path: str, *, partition: str = "boot") -> None:
        """Remove a file."""
        area = self.board.layout.partition(partition)
        open_filesystem(self.disk, area.offset, area.size).remove(path)

    def spoil(self, partition: str) -> None:
        """Overwrite the beginning of a partition with bytes that mean nothing there."""
        with self.disk.open("r+b") as file:
            file.seek(self.board.layout.partition(partition).offset)
            file.write(b"\xa5" * (1 << 20))

    def variables(self, number: int) -> dict[str, str]:
        """The content of copy 1 or 2, if it is not locked."""
        assert decode_block(self.read(f"{COPIES[number - 1]}/lock")) == {"editing": "0"}
        variables = decode_block(self.read(f"{COPIES[number - 1]}/env"))
        assert variables is not None
        return variables

    @property
    def state(self) -> dict[str, str]:
        """The environment, if both copies are equal."""
        assert self.variables(1) == self.variables(2)
        return self.variables(1)

    def set(self, **changes: str) -> None:
        """Change variables in both copies, as Linux does; an empty value removes one."""
        variables = {name: value for name, value in (self.variables(1) | changes).items() if value}
        for number in (1, 2):
            self.write_copy(number, variables)

    def write_copy(
        self, number: int, variables: dict[str, str], *, is_locked: bool = False
    ) -> None:
        """Write copy 1 or 2, and leave it locked or unlocked."""
        files = encode_copy(variables)
        if is_locked:
            files["lock"] = LOCKED
        for name in ("env", "lock"):
            self.write(f"{COPIES[number - 1]}/{name}", files[name])

    def _configuration(self) -> str:
        """The image's own, with the emulator's `linux` and `initrd`."""
        text, changed = re.subn(
            r"if (linux|initrd) ", r"if emulated_\1 ", self.read(CONFIGURATION).decode()
        )
        assert changed == 2, text
        return text

    def _boot(self) -> FatFilesystem:
        area = self.board.layout.partition("boot")
        return FatFilesystem(self.disk, area.offset, area.size)
