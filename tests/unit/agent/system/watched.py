# SPDX-License-Identifier: Apache-2.0
"""A folder that stands for a device in its trial boot, and the script that watches it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.house.tree import ROOT

SCRIPT = ROOT / "tools" / "agent" / "system" / "lib" / "ota" / "deadline"
PAUSE = 0.02  # [s]


@dataclass(kw_only=True)
class Device:
    """A folder that stands for a device in its trial boot."""

    folder: Path
    shell: tuple[str, ...]
    watcher: subprocess.Popen[bytes] | None = None
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("bin", "run", "boots/000007-first"):
            (self.folder / name).mkdir(parents=True)
        for name in ("console", "kmsg"):
            (self.folder / name).touch()
        (self.folder / "boot_id").write_text("first\n")
        (self.folder / "fw_env.config").touch()
        (self.folder / "agent.toml").write_text(
            f'[commit]\ndeadline = 300  # ours\n[boot_log]\nfolder = "{self.folder / "boots"}"\n'
        )
        self.is_up(10)
        self.environment("upgrade_available=1\nbootcount=0")
        note = f'echo "$@" >>{self.folder / "said"}'
        self.program("fw_setenv", f'[ "$*" = "-s -" ] && cat >>{self.folder / "environment"}')
        self.program("reboot", note)
        self.program("fw_printenv", f'sed -n "s/^$2=//p" {self.folder / "environment"} | tail -n 1')

    def program(self, name: str, line: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)

    def environment(self, text: str) -> None:
        (self.folder / "environment").write_text(f"{text}\n")

    def is_up(self, seconds: float) -> None:
        """So long ago the device was started."""
        new = self.folder / "uptime.new"
        new.write_text(f"{seconds:.2f} 1.00\n")
        new.replace(self.folder / "uptime")

    def agent_works(self) -> None:
        """An agent is at work on the trial, until it is killed."""
        code = (
            "import sys, time; from pathlib import Path\n"
            "from ota_agent.trial.claim import Claim\n"
            "Claim(Path(sys.argv[1])).hold(); time.sleep(60)"
        )
        before = self.claim()
        words = (sys.executable, "-c", code, str(self.folder / "run" / "trial"))
        self.agents.append(subprocess.Popen(words))  # noqa: S603
        until(lambda: self.claim() not in ("", before), "claim")

    def claim(self) -> str:
        try:
            return (self.folder / "run" / "trial").read_text()
        except OSError:
            return ""

    def agent_dies(self) -> None:
        agent = self.agents.pop()
        agent.kill()
        agent.wait()

    def start(self) -> None:
        places = {
            "OTA_CONFIG": "agent.toml",
            "OTA_KMSG": "kmsg",
            "OTA_CONSOLE_DEVICE": "console",
            "OTA_RUN": "run",
            "OTA_U_BOOT_CONFIG": "fw_env.config",
            "OTA_GRUB_CONFIG": "grub.config",
            "OTA_BOOT_ID": "boot_id",
            "OTA_UPTIME": "uptime",
            "OTA_SYSRQ": "sysrq",
        }
        words = [f"{name}={self.folder / place}" for name, place in places.items()]
        words += [
            f"OTA_LIB={SCRIPT.parent}",
            f"OTA_PAUSE={PAUSE}",
            "OTA_HURRY=0.05",
            "OTA_WRITE=0.2",
            "OTA_NAP=0.01",
        ]
        path = f"PATH={self.folder / 'bin'}:{os.environ['PATH']}"
        self.watcher = subprocess.Popen(  # noqa: S603
            ("env", *words, path, *self.shell, str(SCRIPT), "run"),  # noqa: S607
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        return (self.folder / "console").read_text()

    def is_watching(self) -> bool:
        assert self.watcher is not None
        return self.watcher.poll() is None

    def waits(self) -> None:
        """Some looks later it still waits."""
        time.sleep(PAUSE * 12)
        assert self.is_watching(), self.said

    def close(self) -> None:
        if self.watcher is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.watcher.pid, signal.SIGKILL)
            self.watcher.wait()
        while self.agents:
            self.agent_dies()


def until(has_come: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 20
    while not has_come():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.01)
