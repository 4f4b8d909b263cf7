# SPDX-License-Identifier: Apache-2.0
"""The command in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

ENTRY = "import sys; from ota_artifact.cli.main import entry; entry()"
"""Runs the command as its installed script does: ``python -c ENTRY``."""

DEADLINE = 20.0  # [s] for each wait

ROOTFS = ("write", "rootfs-image", "-n", "v1", "-c", "board", "-o", "out.mender", "-f")
"""Writes out.mender from the file that follows."""

SLOW = ("--sign-command", "sleep 60")
"""A command to sign with that does not end."""


class Process:
    """The command in a process of its own, in its folder, with temporary files in ``tmp``."""

    running: ClassVar[list["Process"]] = []

    def __init__(
        self,
        folder: Path,
        *arguments: str | Path,
        before: str = "",
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> None:
        (folder / "tmp").mkdir(exist_ok=True)
        self.process = subprocess.Popen(  # noqa: S603
            (sys.executable, "-c", f"{before}\n{ENTRY}", *map(str, arguments)),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "TERM": "xterm"},
            preexec_fn=_as_from_a_terminal,
        )
        self.running.append(self)

    def wait(self) -> tuple[int, str, str]:
        """Wait for its end; gives exit code, stdout and stderr."""
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, (out or b"").decode(), (err or b"").decode()


def _as_from_a_terminal() -> None:
    """Undo nohup, whose ignored hang-up all programs of the tests would inherit."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, f"waited {DEADLINE:g} s until {what}"
        time.sleep(0.01)


def is_sleeping(process: Process) -> bool:
    """Whether the program that signs has started: it is a child of the command."""
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children")
    with suppress(OSError):  # a child, or the command, that has just ended
        names = [Path(f"/proc/{child}/comm") for child in children.read_text().split()]
        return "sleep\n" in [name.read_text() for name in names]
    return False


def limited(size: int) -> str:
    """Code that allows no file larger than ``size`` [B], so that writing fails in the middle."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
