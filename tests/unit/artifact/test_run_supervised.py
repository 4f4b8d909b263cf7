# SPDX-License-Identifier: Apache-2.0
"""Supervised programs: we get each line, they end in time, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ota_artifact import leftover
from ota_artifact import run as door
from ota_artifact.errors import ProgramError
from ota_artifact.leftover import leaving_nothing
from ota_artifact.run import Channel, Supervised

START = (
    "import sys; from ota_artifact.run import Supervised\n"
    "argv = ['sh', '-c', 'echo $$; exec sleep 60']\n"
    "with Supervised(argv, timeout=60, hear=lambda _, line: print(line, flush=True)) as program:\n"
    "    program.finish()\n"
)


class Heard:
    """What a program printed, by channel."""

    def __init__(self) -> None:
        self.stdout: list[str] = []
        self.stderr: list[str] = []

    def __call__(self, channel: Channel, line: str) -> None:
        (self.stdout if channel == "stdout" else self.stderr).append(line)


def finish(script: str, heard: Heard, *words: str, timeout: float = 10) -> int:
    """Run a shell script; gives its exit code."""
    argv = ("sh", "-c", script, "sh", *words)
    with Supervised(argv, timeout=timeout, hear=heard, grace=0.3) as program:
        return program.finish()


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def ends(pid: int) -> bool:
    end = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_alive(pid)


def test_lines_and_exit_code_are_passed_on() -> None:
    heard = Heard()

    code = finish("echo one; echo two; echo wrong >&2; printf rest; exit 21", heard)

    assert code == 21
    assert heard.stdout == ["one", "two", "rest"]
    assert heard.stderr == ["wrong"]


def test_its_output_is_passed_on_while_it_runs() -> None:
    heard = Heard()
    argv = ("sh", "-c", "echo begun; exec sleep 60")
    with Supervised(argv, timeout=60, hear=heard) as program:
        while not heard.stdout:
            program.tend()

        assert program.code is None
    assert program.code == -signal.SIGTERM


def test_it_runs_in_its_folder_with_its_environment(tmp_path: Path) -> None:
    heard = Heard()
    argv = ("sh", "-c", "pwd; echo $COLOUR")

    with Supervised(
        argv, timeout=10, hear=heard, folder=tmp_path, environment={"COLOUR": "red"}
    ) as program:
        program.finish()

    assert heard.stdout == [str(tmp_path), "red"]


def test_a_lot_of_output_and_a_line_without_end_are_bounded() -> None:
    heard = Heard()

    code = finish("head -c 1000000 /dev/zero | tr '\\0' x; seq 20000 >&2", heard)

    assert code == 0
    assert max(map(len, heard.stdout)) <= 1 << 13
    assert heard.stderr == [str(number) for number in range(1, 20001)]


def test_its_whole_group_ends_with_its_time(tmp_path: Path) -> None:
    script = 'sleep 60 & echo $! > "$1"; wait'

    with pytest.raises(ProgramError, match=r"did not finish within 0\.2 s; it was killed"):
        finish(script, Heard(), str(tmp_path / "pid"), timeout=0.2)

    assert ends(int((tmp_path / "pid").read_text()))


def test_one_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo begun; while :; do sleep 0.05; done"
    heard = Heard()
    with Supervised(("sh", "-c", script), timeout=60, hear=heard, grace=0.2) as program:
        while not heard.stdout:
            program.tend()

    assert program.code == -signal.SIGKILL


def test_processes_that_it_leaves_behind_are_not_touched(tmp_path: Path) -> None:
    heard = Heard()

    code = finish("sleep 60 & echo $!", heard)

    pid = int(heard.stdout[0])
    assert code == 0
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_an_interrupt_ends_it() -> None:
    pids: list[int] = []

    def interrupted(channel: Channel, line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    program = Supervised(("sh", "-c", "echo $$; exec sleep 60"), timeout=60, hear=interrupted)
    with pytest.raises(KeyboardInterrupt), program:
        program.finish()

    assert ends(pids[0])


def test_it_ends_with_us_whatever_ends_us() -> None:
    with subprocess.Popen((sys.executable, "-c", START), stdout=subprocess.PIPE) as ours:  # noqa: S603
        assert ours.stdout
        pid = int(ours.stdout.readline())
        assert is_alive(pid)
        os.kill(ours.pid, signal.SIGKILL)

    assert ends(pid)


def test_without_a_usable_setpriv_it_runs_untied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busybox = tmp_path / "setpriv"
    busybox.write_text("#!/bin/sh\necho \"setpriv: unrecognized option '$1'\" >&2; exit 1\n")
    busybox.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    door._with_us.cache_clear()

    code = finish("exit 3", Heard())

    door._with_us.cache_clear()
    assert code == 3


def test_it_waits_until_a_pipe_takes_data() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with Supervised(("sleep", "60"), timeout=60, hear=Heard()) as program:
        begin = time.monotonic()
        program.tend(until_writable=writer)

        assert time.monotonic() - begin < 0.05
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path, mode: int | None) -> None:
    program = tmp_path / "program"
    if mode:
        program.touch(mode)

    with pytest.raises(ProgramError, match="program: is missing, or not executable"):
        Supervised((program,), timeout=1, hear=Heard())


def test_one_that_prints_without_end_ends_with_its_time() -> None:
    heard = Heard()

    with pytest.raises(ProgramError, match="did not finish within"):
        finish("exec yes", heard, timeout=0.1)

    assert heard.stdout


def test_a_process_that_is_left_behind_and_prints_without_end_holds_nobody_up() -> None:
    begun = time.monotonic()

    with leaving_nothing() as marks:
        argv = ("sh", "-c", "setsid yes & sleep 0.2")
        with Supervised(argv, timeout=10, hear=Heard(), environment=marks) as program:
            assert program.finish() == 0

    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("words", ["sleep 60 &", "setsid sleep 60 &", "(setsid sleep 60 &) &"])
def test_nothing_is_left_behind_where_nothing_may_be(tmp_path: Path, words: str) -> None:
    script = words.replace("sleep 60", f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60'")

    with (
        leaving_nothing() as marks,
        Supervised(
            ("sh", "-c", f"{script} while ! [ -s {tmp_path}/pid ]; do :; done"),
            timeout=10,
            hear=Heard(),
            environment=marks,
        ) as program,
    ):
        assert program.finish() == 0

    assert ends(int((tmp_path / "pid").read_text()))


def test_a_process_that_starts_while_others_are_looked_for_is_not_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Proc:
        """The kernel's, in which a process appears right after it was listed."""

        def iterdir(self) -> list[Path]:
            found = list(Path("/proc").iterdir())
            if not started:
                started.append(
                    subprocess.Popen(["/bin/sleep", "60"], env=marks, start_new_session=True)
                )
            return found

    monkeypatch.setattr(leftover, "_PROC", Proc())

    with leaving_nothing() as found:
        marks = dict(found)

    (process,) = started
    assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (b"#!/no/such/sh\necho\n", "its interpreter /no/such/sh is missing; install it"),
        (b"#! /no/such/sh -e\necho\n", "its interpreter /no/such/sh is missing"),
        (b"#!/usr/bin/env no-such-python\n", "its interpreter no-such-python is missing"),
        (b"#!/bin/sh\r\necho\r\n", r"its interpreter '/bin/sh\\r' is missing: .*DOS \(CRLF\)"),
        (b"#!/bin/sh -e\r\necho\r\n", r".* line ends of DOS"),
    ],
)
def test_a_script_whose_interpreter_is_missing_says_so(
    tmp_path: Path, text: bytes, finding: str
) -> None:
    path = tmp_path / "script"
    path.write_bytes(text)
    path.chmod(0o755)

    with pytest.raises(ProgramError, match=f"script: {finding}"):
        Supervised((path,), timeout=10, hear=Heard())


def test_a_program_whose_loader_is_missing_says_so(tmp_path: Path) -> None:
    binary = Path("/bin/sleep").read_bytes()
    at = binary.index(b"/ld-linux") - 20
    at = binary.index(b"/lib", at)
    path = tmp_path / "program"
    path.write_bytes(binary[:at] + b"/xyz" + binary[at + 4 :])
    path.chmod(0o755)

    with pytest.raises(ProgramError, match=r"program: its loader /xyz\S+ is missing; install it"):
        Supervised((path,), timeout=10, hear=Heard())
    with pytest.raises(ProgramError, match=r"program: its loader /xyz\S+ is missing; install it"):
        door.run((path,), timeout=10)
