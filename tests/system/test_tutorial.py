# SPDX-License-Identifier: Apache-2.0
"""The tutorials, command by command as written, with all the output that they show.

Blocks of ``sh`` run here, blocks of ``console`` are typed on the board, and the lines of ``text``
must appear in the last output.
"""

import re
import sys
from pathlib import Path

import pytest

from ota_artifact.run import Background, run
from ota_hil.console import Console
from tests.conftest import requires_program
from tests.house.tree import ROOT

pytestmark = [
    pytest.mark.full,  # minutes: six boots, and an update over the emulated network
    pytest.mark.timeout(1800),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]

PAGES = [ROOT / "docs" / "tutorial" / f"{name}.md" for name in ("first-image", "first-update")]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = "ota-image run"
_PROMPT = ":~# "
_LOGIN = "root"


class Reader:
    """A user who does what the page says."""

    def __init__(self) -> None:
        self._program: Background | None = None
        self._console: Console | None = None
        self._said = ""
        self._started = ""  # the process that a user's shell calls $!

    def host(self, text: str) -> None:
        if text.startswith(_RUN):
            self._said = ""
            self._program = Background(["sh", "-c", f"exec {text}"])
            self._console = Console(self._program.output, self._program.stdin)
            return
        script = text.replace("$!", self._started)
        if text.endswith("&\n"):
            self._started = run(("sh", "-ec", f"{script}echo $!"), timeout=900).decode().strip()
            return
        self._said = run(("sh", "-ec", script), timeout=900).decode()
        if "$!" in text:
            self._started = ""

    def board(self, text: str) -> None:
        assert self._console
        self._said = ""
        for line in text.splitlines():
            if line != _LOGIN:
                self._console.expect(_PROMPT, timeout=300)
            self._console.send(f"{line}\n")

    def sees(self, text: str) -> None:
        for line in text.splitlines():
            if self._said:
                before, found, self._said = self._said.partition(line)
                assert found, f"no {line!r} in {before!r}"
            else:
                assert self._console
                self._console.expect(line, timeout=180)

    def waits_for_power_off(self) -> None:
        assert self._console
        self._console.rest(timeout=120)
        self.close()

    def close(self) -> None:
        if self._program and self._console:
            self._program.kill()
            self._console.close()
            self._program.close()
            self._program = None

    def end(self) -> None:
        """End the programs that the page started, however far it got."""
        self.close()
        if self._started:
            self.host("kill $! 2>/dev/null || true\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tutorial_works_as_written(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    blocks = _BLOCK.findall(page.read_text("utf-8"))
    reader = Reader()

    try:
        for kind, text in blocks:
            {"sh": reader.host, "console": reader.board, "text": reader.sees}[kind](text)
            if text.endswith("poweroff\n"):
                reader.waits_for_power_off()
    finally:
        reader.end()

    assert {kind for kind, _ in blocks} == {"sh", "console", "text"}
