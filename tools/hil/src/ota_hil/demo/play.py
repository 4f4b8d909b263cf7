# SPDX-License-Identifier: Apache-2.0
"""Plays the demo: a board in QEMU, with its real U-Boot."""

import json
import re
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ota_artifact.hold import hold
from ota_artifact.terminal import steer
from ota_board.load import board_folders, find_board, load_board
from ota_hil.demo.releases import BOARD, HOST, build_releases
from ota_hil.demo.serve import served
from ota_hil.errors import HilError
from ota_hil.link import Ssh
from ota_hil.qemu import Qemu, powered

_BOOT = 300.0  # [s] to a network, on a busy machine without KVM
_BOLD, _PLAIN = "\033[1m", "\033[0m"
_INSTALL = 900.0  # [s]


class Play:
    """Prints what happens, with the time since the start."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._is_terminal = sys.stdout.isatty()

    def say(self, text: str) -> None:
        """Print what happens now."""
        if not self._is_terminal:
            self._print(text)
            return
        steer(sys.stdout, _BOLD)
        self._print(text)
        steer(sys.stdout, _PLAIN)
        sys.stdout.flush()

    def quote(self, text: str) -> None:
        """Print what the board, or a tool, prints."""
        self._print(f"    {text}")

    def _print(self, text: str) -> None:
        """Print a line; what the terminal's character set lacks is a question mark."""
        line = f"[{self._time()}] {text}"
        encoding = sys.stdout.encoding or "utf-8"
        print(line.encode(encoding, "replace").decode(encoding), flush=True)

    def _time(self) -> str:
        return f"{time.monotonic() - self._begun:6.1f} s"


class Stage:
    """The board on the stage: its output is printed as it comes."""

    def __init__(self, machine: Qemu, way_in: Ssh, play: Play) -> None:
        self._machine, self.way_in, self._play = machine, way_in, play

    def hear(self, text: str, timeout: float = _BOOT) -> None:
        """Wait for a line of the console, to its end, and print it."""
        self._machine.console.expect(text, timeout=timeout)
        self._machine.console.expect("\n", timeout=timeout)
        line = re.search(rf".*{re.escape(text)}.*", self._heard())
        if line:
            self._play.quote(f"console: {line[0].strip()}")

    def comes_up_on(self, slot: str, release: str) -> None:
        """Wait until the board runs from a slot, and can be reached."""
        self.hear(f"ota: slot {slot}, release {release}, userspace up")
        self._machine.console.expect("ota: network: ", timeout=_BOOT)
        self._machine.console.expect(" has ", timeout=_BOOT)
        self.way_in.wait(timeout=_BOOT)

    def do(self, command: str, timeout: float = 120.0) -> str:
        """Run a command on the board, by SSH, and print its output as it comes.

        Args:
            timeout: how long it may print nothing [s].
        """
        self._play.quote(f"$ {command}")
        lines: list[str] = []

        def hear(line: str) -> None:
            lines.append(line)
            self._play.quote(line)

        self.way_in.follow(command, hear, silence=timeout)
        return "\n".join(lines)

    def status(self) -> dict[str, object]:
        """The status of the agent."""
        found: dict[str, object] = json.loads(self.way_in.run("ota-agent status --json"))
        return found

    def reboot(self) -> None:
        """Reboot it; the connection may not survive the answer."""
        self._play.quote("$ reboot")
        self.way_in.run("(sleep 1; reboot) >/dev/null 2>&1 & exit 0")

    def _heard(self) -> str:
        return self._machine.console.said[-4000:]


def play_demo(folder: Path, options: Sequence[str] = ()) -> None:
    """Build it, boot it, update it well, update it badly.

    Args:
        options: of `ota-image`, such as ``--suite``.

    Raises:
        HilError: the board did not do what it should.
        BlockingIOError: another demo uses the folder.
        ProgramError, BoardError, OSError: what it needs is missing, or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remedy = "wait until it has ended, or take another folder with --output"
    with hold(folder, remedy=remedy):
        _play_in(folder, options)


def _play_in(folder: Path, options: Sequence[str]) -> None:
    play = Play()
    play.say("building the image of qemu-arm64 and two updates (minutes the first time)")
    releases = build_releases(folder, play.quote, options)
    disk = folder / "disk.sdimg"
    disk.unlink(missing_ok=True)  # a board that a user started from it keeps the old one
    shutil.copyfile(releases.image, disk)
    board = load_board(find_board(BOARD, list(board_folders(None))))
    files = {"v2.mender": releases.good, "v3.mender": releases.bad}
    files["unsigned.mender"] = releases.unsigned
    with ExitStack() as stack:
        port = stack.enter_context(served(files, releases.certificate, releases.certificate_key))
        play.say("power on: U-Boot starts slot A with release 1")
        log = folder / "console.log"
        log.unlink(missing_ok=True)
        machine = stack.enter_context(powered(board, disk, releases.firmware, log=log))
        stage = Stage(machine, Ssh(host="127.0.0.1", port=machine.ssh_port, key=releases.key), play)
        stage.comes_up_on("A", "1")
        _unsigned(stage, play, f"https://{HOST}:{port}/unsigned.mender")
        _good_release(stage, play, f"https://{HOST}:{port}/v2.mender")
        _bad_release(stage, play, f"https://{HOST}:{port}/v3.mender")
    play.say(f"done: both updates ended as they should; the log of the console is {log}")


def _unsigned(stage: Stage, play: Play, url: str) -> None:
    play.say("an update that nobody has signed is refused: the board knows the demo's key")
    stage.do(f"! ota-agent install {url}", timeout=_INSTALL)


def _good_release(stage: Stage, play: Play, url: str) -> None:
    play.say("release 2 is streamed into slot B, which nothing uses")
    stage.do(f"ota-agent install {url}", timeout=_INSTALL)
    play.say("reboot: U-Boot tries slot B, once")
    stage.reboot()
    stage.hear("OTA: trial boot of partition 3")
    stage.comes_up_on("B", "2")
    play.say("it is healthy; the user commits it")
    stage.do("ota-agent commit")
    if "2" not in stage.do("ota-agent show-artifact"):
        raise HilError("release 2 was committed, but the device does not provide it")


def _bad_release(stage: Stage, play: Play, url: str) -> None:
    play.say("release 3 is streamed into slot A; it will panic on its trial boot")
    stage.do(f"ota-agent install {url}", timeout=_INSTALL)
    stage.reboot()
    stage.hear("OTA: trial boot of partition 2")
    stage.hear("Kernel panic")
    play.say("the kernel panicked, and nobody committed: U-Boot rolls back")
    stage.hear("OTA: trial of partition 2 was not committed, rolling back")
    stage.comes_up_on("B", "2")
    play.say("the agent knows what happened")
    _wait_for_the_end(stage)
    stage.do("ota-agent status")
    if stage.status()["result"] != "failure":
        raise HilError(f"release 3 panicked, but the agent says {stage.status()}")


def _wait_for_the_end(stage: Stage) -> None:
    end = time.monotonic() + 60
    while stage.status()["state"] != "Idle" and time.monotonic() < end:
        time.sleep(1)
