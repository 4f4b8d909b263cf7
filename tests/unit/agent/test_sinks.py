# SPDX-License-Identifier: Apache-2.0
"""What a server, an artifact or a program says is visible wherever the agent repeats it."""

import dataclasses
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.api.sentences import headline, lines
from ota_agent.api.status import Status
from ota_agent.cli.console import Console
from ota_agent.server.deployment_log import DeploymentLog, LogOptions
from ota_artifact.finding import warning

HOSTILE = "x\x1b[2J\x07\x9b\u202e\u2028\x7f\0\rota: slot B\nota-agent: state ArtifactCommit"
STATES = ("Idle", "Downloading", "Installed", "Trying", "Erring", "no such state")
TEXTS = [each.name for each in dataclasses.fields(Status) if isinstance(each.default, str)]


def is_harmless(text: str) -> bool:
    first, *rest = text.split("\n")
    return first.isprintable() and all(
        each.isprintable() and each.startswith("    ") for each in rest
    )


@pytest.mark.parametrize("field", TEXTS)
def test_no_text_of_the_status_steers_a_terminal(field: str) -> None:
    for state in STATES:
        known = Status(state=state, result="failure", slot="A", running_slot="A", size=10, done=5)
        status = dataclasses.replace(known, **{field: HOSTILE})  # type: ignore[arg-type]

        said = [headline(status), *lines(status)]

        assert [each for each in said if not is_harmless(each)] == []


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_no_record_steers_the_console(
    level: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console()
    record = logging.LogRecord("x", level, "x", 1, "%s", (HOSTILE,), None)

    console.emit(record)

    said = capsys.readouterr().err
    assert said.startswith("ota-agent: x\\x1b[2J")
    assert is_harmless(said.removesuffix("\n"))


def test_progress_on_a_terminal_has_nothing_of_others_in_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    console = Console()

    console.emit(logging.LogRecord("x", 20, "x", 1, "install: \x1b[2J 5 %", (), None))

    assert capsys.readouterr().err == "\r\033[Kota-agent: install: \\x1b[2J 5 %"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[DeploymentLog]:
    found = DeploymentLog(LogOptions(folder=tmp_path))
    found.open("d1")
    yield found
    found.close()


def test_no_record_steers_who_reads_the_log_at_the_server(
    log: DeploymentLog, tmp_path: Path
) -> None:
    log.emit(logging.LogRecord("x", 20, "x", 1, "%s", (HOSTILE,), None))

    sent = [each["message"] for each in log.lines([HOSTILE, "\x1b[1m"])]

    assert len(sent) == 3
    assert [each for each in sent if not is_harmless(each)] == []
    kept = json.loads((tmp_path / "deployments.d1.log").read_bytes())
    assert is_harmless(kept["message"])


def test_no_finding_steers_a_terminal() -> None:
    said = str(warning("open-login", HOSTILE, HOSTILE, HOSTILE))

    places = said.split("\n")
    assert all(each.isprintable() for each in places)
    assert not any(each.startswith("ota-agent: ") for each in places)
