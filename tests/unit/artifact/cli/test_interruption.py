# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and signals: existing files stay, and no others are left."""

import os
import signal
from pathlib import Path

import pytest

from tests.unit.artifact.cli.conftest import state_of
from tests.unit.artifact.cli.process import ROOTFS, SLOW, Process, is_sleeping, wait_until


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "ota-artifact: interrupted; nothing is half written\n"),
        (signal.SIGTERM, 143, ""),
        (signal.SIGHUP, 129, ""),
    ],
)
def test_a_write_that_is_terminated_leaves_nothing(
    image: Path, tmp_path: Path, number: signal.Signals, code: int, said: str
) -> None:
    process = Process(tmp_path, *ROOTFS, image, *SLOW)
    wait_until(lambda: is_sleeping(process), "it signs")
    began = [each.name for each in tmp_path.iterdir() if each.name.startswith(".out.mender")]

    process.process.send_signal(number)
    ended = process.wait()

    assert began, "no temporary file next to the output"
    assert ended == (code, "", said)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["root.img", "tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.boot
def test_a_write_that_is_interrupted_while_it_compresses_leaves_nothing(tmp_path: Path) -> None:
    block = os.urandom(1 << 19).hex().encode()
    with (tmp_path / "root.img").open("wb") as file:
        for _ in range(100):
            file.write(block)
    process = Process(tmp_path, *ROOTFS, "root.img", "--compression", "zstd_best")
    wait_until(
        lambda: any(each.stat().st_size > 1 << 20 for each in tmp_path.glob(".out.mender.*")),
        "it writes",
    )

    process.process.send_signal(signal.SIGINT)
    ended = process.wait()

    assert ended == (130, "", "ota-artifact: interrupted; nothing is half written\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["root.img", "tmp"]


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("modify", "update.mender", "-n", "v2"), signal.SIGINT),
        (("cp", "source", "update.mender:/etc/new"), signal.SIGTERM),
        (("sign", "update.mender"), signal.SIGINT),
    ],
)
def test_a_change_that_is_terminated_leaves_the_artifact_as_it_was(
    update: Path, source: Path, tmp_path: Path, words: tuple[str, ...], number: signal.Signals
) -> None:
    (tmp_path / "tmp").mkdir()
    before = state_of(update)

    process = Process(tmp_path, *words, *SLOW)
    wait_until(lambda: is_sleeping(process), "it signs")
    process.process.send_signal(number)
    code, out, err = process.wait()

    assert (code, out) == (128 + number, "")
    assert "Traceback" not in err
    assert state_of(update) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nohup_keeps_a_write_alive(image: Path, tmp_path: Path) -> None:
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = Process(tmp_path, *ROOTFS, image, "--sign-command", "sleep 0.3", before=ignored)
    wait_until(lambda: is_sleeping(process), "it signs")

    process.process.send_signal(signal.SIGHUP)
    code, _, err = process.wait()

    assert code == 1
    assert "printed 0 B, which is not a signature" in err
