# SPDX-License-Identifier: Apache-2.0
"""A folder that stands for a device at its first steps, to run the slot's scripts in.

Its partition is a file with a real ext4; e2fsck and mke2fs are the real ones unless a test puts
another in their place. `mount` refuses what the kernel refuses, and copies the files out.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_artifact.layout import Area
from ota_artifact.run import run
from ota_image.disk.identity import Identity
from ota_image.disk.mkfs import Folder, make_ext4
from tests.conftest import requires_program
from tests.house.tree import ROOT

SCRIPTS = ROOT / "images" / "overlay" / "common" / "usr" / "lib" / "ota"
SHELLS = (
    pytest.param(("dash",), id="dash", marks=requires_program("dash", package="dash")),
    pytest.param(
        ("busybox", "sh"), id="busybox", marks=requires_program("busybox", package="busybox")
    ),
)
MIB = 1 << 20
SIZE = 64 * MIB
BLOCK = 4096
FILES = {
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "ota/key.pem": "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n",
    "ota/agent.toml": '[servers]\nurls = ["https://fleet.example"]\n',
    "ota/state.db": "what the agent remembers\n",
    "kept": "what a user wrote\n",
}


@dataclass
class Device:
    """The device; `starts` gives what its console says."""

    folder: Path
    shell: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in (
            "bin",
            "run",
            "log",
            "data",
            "lib",
            "sys/class/block/p4",
            "sys/class/block/disk",
        ):
            (self.folder / name).mkdir(parents=True)
        mount = Path(__file__).with_name("kernel_mount.py")
        self.program("mount", f'#!/bin/sh\nexec {sys.executable} {mount} "$@"\n')
        self.program("umount", "#!/bin/sh\n")
        self.program("resize2fs", '#!/bin/sh\necho "$@" >"$OTA_LOG/resized"\n')
        shutil.copyfile(SCRIPTS / "data", self.folder / "lib" / "data")
        own = SCRIPTS / "second-home"
        self.folder.joinpath("lib", "second-home").write_text(
            f'#!/bin/sh\nexec {" ".join(self.shell)} {own} "$@"\n'
        )
        self.folder.joinpath("lib", "second-home").chmod(0o755)
        functions = (SCRIPTS / "functions").read_text()
        start = functions.index("# Keeps the messages")
        (self.folder / "functions").write_text('say() {\n\techo "ota: $*"\n}\n' + functions[start:])
        self.has_size(SIZE)
        self.is_trial(yes=False)
        with self.disk.open("wb") as file:
            file.truncate(8 * MIB)

    @property
    def partition(self) -> Path:
        return self.folder / "p4"

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def state(self) -> dict[str, str]:
        """What the scripts tell the agent."""
        text = (self.folder / "run" / "data").read_text()
        lines = (line.partition("=") for line in text.splitlines())
        return {name: value for name, _, value in lines}

    def program(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def has_size(self, size: int) -> None:
        """The kernel shows a partition of a size [B] at the end of its disk."""
        for name, value in (("p4/size", size // 512), ("p4/start", 0), ("disk/size", size // 512)):
            (self.folder / "sys" / "class" / "block" / name).write_text(f"{value}\n")

    def is_trial(self, *, yes: bool) -> None:
        self.program("fw_printenv", f"#!/bin/sh\necho upgrade_available={int(yes)}\n")

    def has_errors(self) -> None:
        """The kernel has met errors in its filesystem."""
        folder = self.folder / "sys/fs/ext4/p4"
        folder.mkdir(parents=True)
        (folder / "errors_count").write_text("1\n")

    def e2fsck_ends_with(self, *codes: int) -> None:
        """Its calls end so, one after the other, and then all as the last one."""
        text = " ".join(map(str, codes))
        self.program(
            "e2fsck",
            f'#!/bin/sh\nn=$(cat "$OTA_LOG/calls" 2>/dev/null || echo 0)\n'
            f'echo $((n + 1)) >"$OTA_LOG/calls"\nset -- {text}\n'
            "[ $n -lt $# ] || n=$(($# - 1))\nshift $n\nexit $1\n",
        )

    def holds(self, content: bytes, size: int = 16 * MIB) -> None:
        """Its partition has this again and again, and another size [B]."""
        self.partition.write_bytes((content * (size // len(content) + 1))[:size])
        self.has_size(size)

    def garble(self, block: int, count: int = 1) -> None:
        with self.partition.open("r+b") as file:
            file.seek(block * BLOCK)
            file.write((bytes(range(3, 253)) * (BLOCK * count // 250 + 1))[: BLOCK * count])

    def starts(self, *, script: str = "data") -> str:
        """Run a script as init does."""
        starter = self.folder / "start"
        starter.write_text(
            f'. {self.folder}/functions\nmount() {{ "{self.folder}/bin/mount" "$@"; }}\n'
            f'umount() {{ "{self.folder}/bin/umount" "$@"; }}\n'
            f". {self.folder}/lib/{script}\nwait\n"
        )
        said = run((*self.shell, str(starter)), timeout=60, environment=self.environment)
        return said.decode()

    def second_home(self, word: str, *, success: tuple[int, ...] = (0,)) -> str:
        """Run it by itself, as the agent does; gives what it says."""
        argv = (*self.shell, str(SCRIPTS / "second-home"), word)
        return run(argv, timeout=30, environment=self.environment, success=success).decode()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin",
            "OTA_RUN": str(self.folder / "run"),
            "OTA_LOG": str(self.folder / "log"),
            "OTA_POINT": str(self.data),
            "OTA_LIB": str(self.folder / "lib"),
            "OTA_SYS": str(self.folder / "sys"),
            "OTA_FUNCTIONS": str(self.folder / "functions"),
            "OTA_GRUB_CONFIG": str(self.folder / "grub.config"),
            "OTA_DISK": str(self.disk),
            "OTA_DATA": str(self.partition),
            "OTA_DATA_NUMBER": "4",
            "OTA_SECOND_HOME": "2048 3072",
        }

    def boots_again(self) -> None:
        """What is in memory is gone."""
        for name in ("run", "log", "data"):
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir()


def fill(partition: Path, files: dict[str, str] = FILES) -> None:
    """Make the filesystem of /data as the factory does."""
    content = partition.with_suffix(".files")
    for name, text in files.items():
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        (content / name).write_text(text)
    with partition.open("wb") as file:
        file.truncate(SIZE)
    area = Area(kind="partition", name="data", offset=0, size=SIZE, number=4)
    identity = Identity(b"test")
    make_ext4(partition, area, Folder(content), label="data", identity=identity, time=1793491200)
