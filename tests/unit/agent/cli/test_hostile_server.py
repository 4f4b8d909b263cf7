# SPDX-License-Identifier: Apache-2.0
"""The real daemon with a server that sends a byte a second: it stays at its users' service."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ota_agent.api.client import Client
from tests.simulators.hostile_server import Drip, hostile
from tests.unit.agent.api.serving import wait_until
from tests.unit.agent.scratch import Scratch, scratch

SLOW = Drip(b"HTTP/1.1 200 OK\r\nX: ", b"x", pause=1.0)
PATIENCE = 120.0  # [s] of the agent with the server; no user waits for it
SOON = 10.0  # [s] on a busy machine


def configured(folder: Path, url: str, patience: float) -> Scratch:
    device = scratch(folder)
    program = folder / "identity" / "mac"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho mac=00:11:22:33:44:55\n")
    program.chmod(0o755)
    with device.configuration.open("a") as file:
        file.write(
            f'\n[server]\nurls = ["{url.removesuffix("/a")}"]\ntimeout = {patience}\n'
            "[tls]\nallow_plain_http = true\n[polling]\nstart_spread = 0\n"
            f'[attributes]\nidentity = ["{program.parent}"]\ninventory = []\n'
        )
    return device


@contextmanager
def daemon(device: Scratch) -> Iterator["subprocess.Popen[bytes]"]:
    words = (sys.executable, "-m", "ota_agent.cli.main", "daemon", "--config")
    log = (device.folder / "log").open("wb")
    process = subprocess.Popen((*words, device.configuration), stderr=log)  # noqa: S603
    try:
        yield process
    finally:
        process.kill()
        process.wait(SOON)
        log.close()


def logged(device: Scratch) -> str:
    return (device.folder / "log").read_text()


def state(device: Scratch) -> str:
    with Client(device.folder / "run" / "agent.sock") as client:
        return client.status().state


@pytest.mark.boot
def test_an_install_an_abort_and_a_signal_do_not_wait_for_a_server_that_drips(
    tmp_path: Path,
) -> None:
    with hostile(SLOW) as url:
        device = configured(tmp_path, url, PATIENCE)
        with daemon(device) as process:
            wait_until(lambda: "plain HTTP" in logged(device), timeout=SOON)  # it asks
            time.sleep(2)
            with Client(device.folder / "run" / "agent.sock") as client:
                client.call("install", source=url)
            wait_until(lambda: state(device) == "Downloading", timeout=SOON)
            time.sleep(2)
            with Client(device.folder / "run" / "agent.sock") as client:
                client.call("abort", reason="not now")
            wait_until(lambda: state(device) != "Downloading", timeout=SOON)
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            process.wait(SOON)

    assert process.returncode == 0
    assert "not now" in logged(device)


@pytest.mark.boot
def test_a_server_that_drips_is_left_after_its_patience(tmp_path: Path) -> None:
    with hostile(SLOW) as url:
        device = configured(tmp_path, url, 2.0)
        with daemon(device):
            begun = time.monotonic()
            wait_until(lambda: "Poll: " in logged(device), timeout=2 * SOON)

    assert "Read timed out" in logged(device)
    assert time.monotonic() - begun < 2 * SOON
