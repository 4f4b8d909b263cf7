# SPDX-License-Identifier: Apache-2.0
"""A file on /data may be anything: what is not a file is neither waited for nor read for ever."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ota_agent.admission.keys import VerifyOptions, load_keys, read_key
from ota_agent.device.device_type import find_device_type
from ota_agent.device.options import DeviceOptions
from ota_agent.errors import AgentError
from ota_agent.memory.peek import Unreadable, peek
from ota_agent.server.deployment_log import DeploymentLog, LogOptions
from ota_agent.server.http import pool
from ota_agent.server.identity import accepted
from ota_agent.server.key import DeviceKey
from ota_agent.server.options import KeyOptions, TlsOptions
from ota_agent.small_file import read_small


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


odd = pytest.mark.parametrize("make", [a_fifo, a_device, Path.mkdir])
Make = Callable[[Path], None]


@odd
def test_it_is_an_error(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "f")

    with pytest.raises(OSError, match=r"is not a file|Is a directory"):
        read_small(tmp_path / "f", 10)


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"12345")

    assert read_small(tmp_path / "f", 3) == b"123"


@odd
def test_a_device_type_is_passed_over(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "device_type")

    found = find_device_type(DeviceOptions(data=tmp_path))

    assert not found.name
    assert "is not a file" in str(found.passed_over) or "Is a directory" in str(found.passed_over)


@odd
def test_an_identity_is_as_none(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "identity")

    assert accepted(tmp_path / "identity") == ""


@odd
def test_a_key_is_put_aside(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "key.pem")
    key = DeviceKey(KeyOptions(path=tmp_path / "key.pem", mender_key=""), is_own=True)

    public = key.public

    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    assert os.path.lexists(tmp_path / "key.pem.broken")


def test_a_key_that_is_not_ours_stays(tmp_path: Path) -> None:
    a_fifo(tmp_path / "key.pem")

    with pytest.raises(AgentError, match="is not a file"):
        _ = DeviceKey(KeyOptions(path=tmp_path / "key.pem", mender_key="")).public


@odd
def test_what_only_looks_is_told_what_to_do(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "state.db")

    with pytest.raises(Unreadable, match=r"(is not a file|Is a directory); restart the agent"):
        peek(tmp_path / "state.db")


@odd
def test_the_log_of_a_deployment_stops_nothing(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "deployments.d1.log")
    log = DeploymentLog(LogOptions(folder=tmp_path))

    log.open("d1")
    log.emit(logging.makeLogRecord({"msg": "a line", "levelname": "INFO"}))
    lines = log.lines()
    log.close()

    assert lines == []


@odd
@pytest.mark.parametrize("option", ["ca_bundle", "server_certificate", "client_certificate"])
def test_a_certificate_holds_no_connection_up(tmp_path: Path, make: Make, option: str) -> None:
    make(tmp_path / "a.pem")
    options: dict[str, Any] = {option: str(tmp_path / "a.pem")}

    with pytest.raises(AgentError, match=r"a\.pem: (is not a file|.*can be written)"):
        pool(TlsOptions(**options), timeout=1)


@odd
def test_a_verification_key_holds_nothing_up(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "a.pem")

    with pytest.raises(AgentError, match=r"a\.pem: (is not a file|.*can be written)"):
        load_keys(VerifyOptions(keys=(str(tmp_path / "a.pem"),)))
    with pytest.raises(OSError, match="is not a file"):
        read_key(tmp_path / "a.pem")
