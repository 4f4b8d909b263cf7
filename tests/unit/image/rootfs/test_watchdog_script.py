# SPDX-License-Identifier: Apache-2.0
"""The script that gives the watchdog to systemd leaves it without a feeder only for a moment."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.image.rootfs.early_boot import SCRIPTS

DEBIAN = SCRIPTS.parents[3] / "debian" / "usr" / "lib" / "ota"
SETTINGS = ("/etc/ota/board", "/etc/ota/release", "/usr/lib/ota/functions", "/run/ota/watchdog")


class Handover:
    """The script, with its files in a folder and a busctl that notes whether the feeder lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.feeder = subprocess.Popen(("/bin/sleep", "60"))
        (folder / "board").write_text("OTA_WATCHDOG_TIMEOUT=15\n")
        (folder / "release").touch()
        (folder / "watchdog").write_text(f"{self.feeder.pid}\n")
        for name, source in (("functions", SCRIPTS / "functions"), ("script", DEBIAN / "watchdog")):
            text = source.read_text("utf-8")
            for path in SETTINGS:
                text = text.replace(path, str(folder / Path(path).name))
            (folder / name).write_text(text)

    def run(self, *, ends: int) -> list[str]:
        """What busctl was asked, each after whether the feeder lived; it ends with a code."""
        state = f'grep -q "^State:.[^ZX]" /proc/{self.feeder.pid}/status'
        busctl = self.folder / "busctl"
        busctl.write_text(
            f'#!/bin/sh\nif {state}; then fed=fed; else fed=unfed; fi\necho "$fed $*" >>calls\n'
            f"exit {ends}\n"
        )
        busctl.chmod(0o755)
        path = f"{self.folder}:/usr/bin:/bin"
        subprocess.run(("/bin/sh", "script"), cwd=self.folder, env={"PATH": path}, timeout=10)
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def handover(tmp_path: Path) -> Iterator[Handover]:
    found = Handover(tmp_path)
    yield found
    found.feeder.kill()
    found.feeder.wait()


def test_all_that_systemd_needs_is_running_before_the_feeder_ends(handover: Handover) -> None:
    first, second = handover.run(ends=0)

    assert first.startswith("fed get-property org.freedesktop.systemd1 ")
    assert second.startswith("unfed set-property org.freedesktop.systemd1 ")
    assert second.endswith(" RuntimeWatchdogUSec t 15000000")


def test_a_systemd_that_does_not_answer_leaves_the_feeder_alone(handover: Handover) -> None:
    calls = handover.run(ends=1)

    assert [call.split()[:2] for call in calls] == [["fed", "get-property"]]
    assert handover.feeder.poll() is None
