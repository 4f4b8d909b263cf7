# SPDX-License-Identifier: Apache-2.0
"""The device that both programs run on: loop devices, slot A as `/` and slot B as the passive slot.

Each program is started by chroot with the same root, environment and files, so that it sees the
same as on a board: `/` is mounted from the slot that the bootloader's environment names.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.agent.device import SIZE
from ota_artifact.image.workplace import find_program
from ota_artifact.run import run
from ota_board.environment import encode

DEVICE_TYPE = "bench"
CONFIGURED = {"ours": "/etc/ota/agent.toml", "theirs": "/etc/bench/mender.conf"}
"""The path of each program's configuration on the device."""

_ENVIRONMENT = 0x4000  # [B] a copy of U-Boot's environment
_OFFSETS = (0x4000, 0xC000)  # [B]
_MOUNTED = ("dev", "proc", "sys")
_TIMEOUT = 300.0  # [s] a copy of a slot on a slow disk
_INVENTORY = "/usr/share/ota/inventory"
_IDENTITY = "/usr/share/bench/identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The device, ready for use.

    Attributes:
        root: where slot A is mounted.
        image: what slot A was made from, and the old content of slot B.
        a: block device of slot A.
        b: block device of slot B.
    """

    root: Path
    image: Path
    a: str
    b: str

    def argv(self, *words: str) -> tuple[str, ...]:
        """The command that runs a program on the device."""
        return (find_program("chroot", package="coreutils"), str(self.root), *words)

    def inside(self, path: str) -> Path:
        """A path of the device, as this machine sees it."""
        return self.root / path.lstrip("/")

    def reset(self, ours: Mapping[str, Mapping[str, object]], theirs: Mapping[str, object]) -> None:
        """Reset it to the factory's state, with these configurations.

        Args:
            ours: more of agent.toml, by section.
            theirs: more of mender.conf.
        """
        data = {"ota": "/data/ota", "mender": "/var/lib/mender"}
        for path in data.values():
            shutil.rmtree(self.inside(path), ignore_errors=True)
            self.inside(path).mkdir(parents=True)
            (self.inside(path) / "device_type").write_text(f"device_type={DEVICE_TYPE}\n")
        self._configure(ours, theirs)
        self._reset_environment()
        os.sync()

    def reset_passive(self) -> None:
        """Write the system of slot A into slot B, as in the factory."""
        run(("cp", self.image, self.b), timeout=_TIMEOUT)
        run(
            (find_program("blockdev", package="util-linux"), "--flushbufs", self.b),
            timeout=_TIMEOUT,
        )

    def digest_of_passive(self, size: int) -> str:
        """SHA-256 of the first bytes of slot B [hex]."""
        line = 'head -c "$1" "$2" | sha256sum'
        return (
            run(("sh", "-c", line, "sh", str(size), self.b), timeout=_TIMEOUT).split()[0].decode()
        )

    @property
    def next_slot(self) -> str:
        """The number of the slot on trial, as U-Boot will read it; empty if there is none."""
        said = run(self.argv("/usr/bin/fw_printenv"), timeout=60).decode()
        found = dict(line.split("=", 1) for line in said.splitlines())
        return found["mender_boot_part"] if found["upgrade_available"] == "1" else ""

    def _configure(
        self, ours: Mapping[str, Mapping[str, object]], theirs: Mapping[str, object]
    ) -> None:
        sections: dict[str, Mapping[str, object]] = {
            "device": {"slot_a": self.a, "slot_b": self.b, "bootloader": "u-boot"},
            "tls": {"allow_plain_http": True, "set_clock": False},
            "key": {"mender_key": ""},
            "attributes": {"identity": [_IDENTITY], "inventory": [_INVENTORY]},
        }
        for name, more in ours.items():
            sections[name] = {**sections.get(name, {}), **more}
        text = "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in each.items())
            for name, each in sections.items()
        )
        slots = {"RootfsPartA": self.a, "RootfsPartB": self.b, "DBus": {"Enabled": False}}
        files = {
            CONFIGURED["ours"]: text,
            CONFIGURED["theirs"]: json.dumps({**slots, **theirs}),
            "/etc/mender/artifact_info": "artifact_name=v1\n",
            "/etc/ota/release": "artifact=v1\n",
        }
        for path, content in files.items():
            self.inside(path).parent.mkdir(parents=True, exist_ok=True)
            self.inside(path).write_text(content)

    def _reset_environment(self) -> None:
        number = _number(self.a)
        variables = {
            "mender_boot_part": f"{number}",
            "mender_boot_part_hex": f"{number:x}",
            "upgrade_available": "0",
            "bootcount": "0",
            "bootlimit": "1",
        }
        content = bytearray(_OFFSETS[1] + _ENVIRONMENT)
        for count, offset in enumerate(_OFFSETS):
            copy = encode(variables, _ENVIRONMENT, flag=count + 1)
            content[offset : offset + _ENVIRONMENT] = copy
        self.inside("/data/environment").write_bytes(content)
        lines = (f"/data/environment {offset:#x} {_ENVIRONMENT:#x}\n" for offset in _OFFSETS)
        self.inside("/etc/fw_env.config").write_text("".join(lines))


@contextmanager
def stand(image: Path, folder: Path) -> Iterator[Stand]:
    """The device while the block runs; we must be root, in a mount namespace of our own.

    Args:
        image: the root filesystem, which is copied.
        folder: for the files of the two slots.

    Raises:
        ProgramError: losetup or mount fails: not root, or a container without loop devices.
        OSError: no space.
    """
    root = folder / "root"
    root.mkdir()
    with ExitStack() as stack:
        nodes = []
        for name in ("a", "b"):
            file = folder / name
            run(("cp", "--sparse=always", "--reflink=auto", image, file), timeout=_TIMEOUT)
            nodes.append(_loop(file, stack))
        run(("mount", nodes[0], root), timeout=60)
        stack.callback(run, ("umount", "--recursive", root), timeout=60)
        for name in _MOUNTED:
            run(("mount", "--rbind", f"/{name}", root / name), timeout=60)
        yield Stand(root=root, image=image, a=nodes[0], b=nodes[1])


def _loop(file: Path, stack: ExitStack) -> str:
    """A loop device for a file; the kernel removes it after its last user, whatever ends us."""
    program = find_program("losetup", package="mount")
    assert file.stat().st_size == SIZE, file
    node = run((program, "--find", "--show", file), timeout=60).decode().strip()
    stack.callback(os.close, os.open(node, os.O_RDONLY | os.O_CLOEXEC))
    run((program, "--detach", node), timeout=60)  # with the last that has it open: losetup(8)
    return node


def _number(node: str) -> int:
    found = re.search(r"\d+$", node)
    assert found is not None, node
    return int(found[0])
