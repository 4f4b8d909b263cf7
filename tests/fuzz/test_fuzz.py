# SPDX-License-Identifier: Apache-2.0
"""Hostile input finds no bug in the reader, and would find one that is there."""

import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.run import run
from tests.fuzz import oracle, session
from tests.fuzz.agent import PARSERS
from tests.fuzz.archive import join, split
from tests.fuzz.mutation import Mutator
from tests.fuzz.session import Hang, fuzz, tried
from tests.fuzz.target import AGENT
from tests.golden.accepted import good_artifacts

ROOT = Path(__file__).parents[2]


def run_fuzz(seconds: int, capsys: pytest.CaptureFixture[str]) -> int:
    """Fuzz without finding a bug; gives the number of inputs."""
    command = (sys.executable, "-m", "tests.fuzz", "--seconds", str(seconds))
    said = run(command, timeout=seconds + 60, success=(0, 1)).decode()
    with capsys.disabled():
        print(f"\n{said}", end="")
    assert "Traceback" not in said
    assert "again:" not in said
    found = re.search(r"fuzz: (\d+) executions", said)
    assert found
    return int(found[1])


@pytest.fixture(autouse=True)
def at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.boot
@pytest.mark.timeout(200)
def test_a_minute_of_hostile_input_finds_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_fuzz(60, capsys) > 1000


@pytest.mark.full
@pytest.mark.timeout(900)
def test_ten_minutes_of_hostile_input_find_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_fuzz(600, capsys) > 10_000


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PARSERS)
def test_ten_minutes_of_hostile_input_find_no_bug_in_the_agent(name: str, tmp_path: Path) -> None:
    report = fuzz(f"{secrets.token_hex(4)}", 600, tmp_path, name)

    assert report.crash == ""


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_of_the_agent_gives_a_value_or_an_error(name: str, tmp_path: Path) -> None:
    report = fuzz("seed", 0.3, tmp_path, name)

    assert report.crash == ""
    assert report.seeds >= 1
    assert report.executions > 5


@pytest.mark.parametrize(
    "path",
    [path for name in PARSERS for path in sorted((AGENT / name).iterdir())],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_an_input_to_start_from_is_small_and_shows_no_bug(path: Path) -> None:
    content = path.read_bytes()

    assert tried(content, path.parent.name) == ""
    assert 0 < len(content) <= 16 << 10


def test_every_folder_of_inputs_is_for_a_parser() -> None:
    assert sorted(path.name for path in AGENT.iterdir()) == sorted(PARSERS)


def test_bug_of_a_parser_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.clients.maps.parse_text", lambda text: int(text))

    report = fuzz("seed", 10, tmp_path, "control-map")

    assert "ValueError" in report.crash
    assert report.input.endswith(".control-map")


def test_same_seed_gives_the_same_inputs() -> None:
    corpus = [case.content for case in good_artifacts().values()]
    one, same, other = (Mutator(Random(seed), corpus) for seed in ("a", "a", "b"))

    inputs = [[mutator.next() for _ in range(20)] for mutator in (one, same, other)]

    assert inputs[0] == inputs[1]
    assert inputs[0] != inputs[2]


def test_many_inputs_get_past_the_digests() -> None:
    corpus = [case.content for case in good_artifacts().values()]
    mutator = Mutator(Random("deep"), corpus)

    ways = [oracle.judge(mutator.next()) for _ in range(300)]

    assert sum(way is None for way in ways) >= 3
    assert sum("read_header" in way for way in ways if way) >= 30
    assert sum("_all_files" in way for way in ways if way) >= 10


def test_tar_taken_apart_and_put_together_is_the_same() -> None:
    for case in good_artifacts().values():
        assert join(*split(case.content)) == case.content


def test_crash_is_kept_with_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(session, "judge", broken)

    report = fuzz("seed", 10, tmp_path)

    assert report.executions == 1
    assert "ValueError: a bug" in report.crash
    assert Path(report.input).read_bytes() == session.seeds()[0]


def test_refusal_is_not_a_crash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = fuzz("seed", 0.2, tmp_path)

    assert report.crash == ""
    assert report.executions > 10
    assert 0 < report.accepted < report.executions


def test_hang_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(data: bytes) -> None:
        while True:
            with suppress(Exception):  # a handler that takes every error
                sum(range(1000))

    monkeypatch.setattr(session, "judge", endless)
    monkeypatch.setattr(session, "LONGEST", 0.2)

    report = fuzz("seed", 10, tmp_path)

    assert "no end after 0.2 s" in report.crash
    assert issubclass(Hang, BaseException)


def test_memory_without_bound_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter((0, 1, session.MOST + 1))
    monkeypatch.setattr(session, "judge", lambda data: None)
    monkeypatch.setattr(session, "peak", lambda: next(peaks, session.MOST + 1))

    report = fuzz("seed", 10, tmp_path)

    assert "memory" in report.crash


def test_file_that_another_reader_does_not_see_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    content = good_artifacts()["pax-tar"].content
    seen = oracle.members

    def blind(data: bytes) -> list[tuple[str, bytes]]:
        return [member for member in seen(data) if member[0] != "file"]

    assert tried(content) == ""
    monkeypatch.setattr(oracle, "members", blind)
    assert "another reader sees other files" in tried(content)


def test_message_that_would_garble_a_terminal_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ArtifactError("\x1b[2J")

    monkeypatch.setattr(oracle, "open_artifact", refused)

    assert "AssertionError" in tried(b"")
