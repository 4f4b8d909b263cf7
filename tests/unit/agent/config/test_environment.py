# SPDX-License-Identifier: Apache-2.0
"""What the daemon is told by the files of its environment."""

import os
from pathlib import Path

import pytest

from ota_agent.config.environment import take_environment
from tests.unit.agent.api.other_user import NOBODY, requires_root


def told(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    take_environment(folder, slot=folder / "slot", environment=found)
    return found


def test_the_second_file_counts_and_a_slip_of_the_pen_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "slot").write_text(
        "# a proxy\n\nhttps_proxy=http://one.example:3128\nno_proxy=localhost, .lan\nTZ='UTC'\n"
        "if then $(touch x) (\nbad name=1\n9=9\n=x\nEMPTY=\n"
    )
    (tmp_path / "environment").write_text("https_proxy=http://two.example?a=b&c='d'")

    assert told(tmp_path) == {
        "https_proxy": "http://two.example?a=b&c='d'",
        "no_proxy": "localhost, .lan",
        "TZ": "UTC",
        "EMPTY": "",
    }
    assert f"{tmp_path}/slot:6: is not NAME=value; it is passed over" in caplog.text


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "PATH", "PYTHONPATH", "SSL_CERT_FILE", "IFS", "HTTP_PROXY_", "TZ"]
)
def test_the_file_on_data_sets_a_proxy_and_nothing_else(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "environment").write_text(f"{name}=/data/evil\nHTTPS_PROXY=http://a\n")

    assert told(tmp_path) == {"HTTPS_PROXY": "http://a"}
    assert f"environment:1: {name} is not a variable of a proxy" in caplog.text


@requires_root
@pytest.mark.parametrize("name", ["slot", "environment"])
def test_a_file_of_another_user_tells_nothing(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_text("https_proxy=http://a\n")
    os.chown(tmp_path / name, NOBODY, -1)

    assert told(tmp_path) == {}
    assert f"{tmp_path}/{name}: belongs to user 65534" in caplog.text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x\0=1\n", b"A=\0\n"])
def test_a_damaged_file_stops_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "environment").write_bytes(content)

    assert told(tmp_path) == {}
