# SPDX-License-Identifier: Apache-2.0
"""What the image's script says of /data, and how the agent asks it to keep the identity."""

import logging
from pathlib import Path

import pytest

from ota_agent.device.second_home import DataState, data_state, keep
from ota_agent.server.key import DeviceKey
from ota_agent.server.options import KeyOptions


def test_what_the_script_has_left_becomes_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("state=read-only\nreason=is mounted read-only: a=b\n")

    found = data_state(tmp_path)

    assert found == DataState("read-only", "is mounted read-only: a=b")
    assert found.sentence == "/data is mounted read-only: a=b"


@pytest.mark.parametrize("text", [None, "", "state=whole\nreason=\n", "\xff\n=\n"])
def test_there_is_no_sentence_about_a_data_that_nothing_happened_to(
    tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "data").write_text(text, "latin-1")

    assert data_state(tmp_path).sentence == ""


def test_an_image_without_the_program_works_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path / "none")

    assert not caplog.records


def test_a_program_that_fails_is_named_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "second-home"
    program.write_text('#!/bin/sh\necho "$1: the disk is gone" >&2\nexit 1\n')
    program.chmod(0o755)

    with caplog.at_level(logging.WARNING):
        keep(program)

    assert "save: the disk is gone" in caplog.text


def test_a_new_key_is_kept_a_second_time_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []
    path = tmp_path / "key.pem"
    monkeypatch.setattr("ota_agent.server.key.keep", lambda: kept.append(path.exists()))

    DeviceKey(KeyOptions(path=path)).ensure()
    DeviceKey(KeyOptions(path=path)).ensure()

    assert kept == [True]
