# SPDX-License-Identifier: Apache-2.0
"""A scratch device with all that a healthy one has, and the kernel's files that say so."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ota_agent.config.settings import load_settings
from ota_agent.doctor.examine import examine
from ota_agent.doctor.system import System
from ota_agent.memory.store import Store
from ota_artifact.finding import Finding
from tests.unit.agent.scratch import Scratch, scratch


@dataclass
class Patient:
    """A device that is to be examined."""

    device: Scratch
    system: System

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.device.folder

    def hazards(self, *, is_online: bool = False) -> dict[str, Finding]:
        """What the doctor finds, by its name."""
        settings = load_settings(self.device.configuration, menders=())
        found = examine(settings, self.system, is_online=is_online)
        return {each.hazard: each for each in found}

    def configure(self, old: str, new: str) -> None:
        """Change the agent's configuration."""
        text = self.device.configuration.read_text()
        assert old in text
        self.device.configuration.write_text(text.replace(old, new))

    def mounted(self, *lines: tuple[str, str, str, str]) -> None:
        """Say what is mounted: device, point, options, kind."""
        text = "".join(
            f"{20 + number} 1 {device} / {point} {options} shared:1 - {kind} /dev/x {options}\n"
            for number, (device, point, options, kind) in enumerate(lines)
        )
        (self.system.proc / "self" / "mountinfo").write_text(text)


def public_key(path: Path) -> Path:
    """Make a key, and write its public part."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def program(path: Path, text: str = "echo mac=00:11:22:33:44:55", mode: int = 0o755) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return path


def patient(folder: Path, **sections: Mapping[str, object]) -> Patient:
    """A device that lacks nothing, but that no agent runs on it.

    Args:
        sections: of its agent.toml, in place of those of a healthy one.
    """
    device = folder / "device"
    program(device / "health.d" / "10-web")
    program(device / "identity" / "mac")
    (device / "modules").mkdir()
    (device / "scripts").mkdir()
    healthy: dict[str, Mapping[str, object]] = {
        "server": {"urls": ["https://updates.example.com"]},
        "keys": {"keys": [str(public_key(device / "vendor.pem"))]},
        "commit": {"folder": str(device / "health.d")},
        "attributes": {"identity": [str(device / "identity")]},
        "modules": {"folders": [str(device / "modules")]},
        "scripts": {"folders": [str(device / "scripts")]},
    }
    made = scratch(device, slot=1 << 20, **{**healthy, **sections})
    store = Store(device / "data" / "state.db")
    store.save_provides({"artifact_name": "v1"})
    store.close()
    system = System(proc=device / "proc", sys=device / "sys", root=device / "root")
    files = {
        device / "run" / "deadline": "1 1",
        system.proc / "cmdline": "root=/dev/mmcblk0p2 ro",
        system.proc / "sys" / "kernel" / "panic": "5",
        system.sys / "class" / "watchdog" / "watchdog0" / "state": "active",
        system.sys / "class" / "watchdog" / "watchdog0" / "timeout": "30",
        system.root / "lib" / "modules" / os.uname().release / "modules.dep": "",
    }
    (system.proc / "self").mkdir(parents=True)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    found = Patient(made, system)
    found.mounted(
        ("179:2", "/", "ro,relatime", "ext4"),
        ("179:4", str(device / "data"), "rw,relatime", "ext4"),
    )
    return found
