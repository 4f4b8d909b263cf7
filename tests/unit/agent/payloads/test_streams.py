# SPDX-License-Identifier: Apache-2.0
"""A payload on its way to an update module: as streams, or as files; and what goes wrong."""

import os
import time
from dataclasses import replace

import pytest

from ota_agent.errors import AgentError
from ota_artifact.errors import ArtifactError, ProgramError
from tests.unit.agent.payloads.artifacts import artifact, stored
from tests.unit.agent.payloads.modules import READS, TWO, Modules


def test_a_module_that_takes_no_streams_finds_its_files(modules: Modules) -> None:
    modules.put("")

    modules.stored()

    assert modules.files("files") == TWO
    assert not (modules.tree / "stream-next").exists()
    assert not (modules.tree / "streams").exists()


def test_a_module_reads_its_files_as_streams(modules: Modules) -> None:
    modules.put(f"Download) {READS};;")

    modules.stored()

    got = modules.files("tmp")
    assert got.pop("asked") == b"streams/one\nstreams/two\n"
    assert got == TWO
    assert not (modules.tree / "files").exists()
    assert not (modules.tree / "stream-next").exists()


def test_a_module_that_wants_sizes_is_told_them(modules: Modules) -> None:
    modules.put(f"ProvidePayloadFileSizes) echo Yes;;\nDownloadWithFileSizes) {READS};;")

    modules.stored()

    assert modules.files("tmp")["asked"] == b"streams/one 100000\nstreams/two 0\n"


def test_a_payload_without_files_has_only_an_end(modules: Modules) -> None:
    modules.put(f"Download) {READS}; touch tmp/done;;")

    modules.stored({})

    assert modules.files("tmp") == {"done": b""}


def test_progress_is_told_as_it_is_taken(modules: Modules) -> None:
    modules.put("")
    seen: list[tuple[int, int]] = []

    stored(artifact(modules.folder, ("app", TWO)), modules.options, seen)

    assert seen[-1] == (100_000, 100_000)


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("exit 3", "Download: exit code 3"),
        ("cat stream-next; exit 3", "exit code 3, and did not read streams/one"),
        ("cat stream-next; exit 0", "exit code 0, and did not read streams/one"),
        ("cat $(cat stream-next) | wc -c; exit 0", "before it had asked for all files"),
        ("head -c 10 $(cat stream-next); exit 0", "exit code 0, and did not read streams/one to"),
        ("exec 3< $(cat stream-next); exec 3<&-; exec sleep 60", "turned away, and did not read"),
        (f"{READS}; exit 5", "Download: exit code 5"),
    ],
)
def test_a_module_that_does_not_read_all_has_failed(
    modules: Modules, body: str, finding: str
) -> None:
    modules.put(f"Download) {body};;")

    with pytest.raises(AgentError, match=f"update module app: .*{finding}"):
        modules.stored({"one": b"1" * 200_000})

    assert not (modules.tree / "stream-next").exists()


@pytest.mark.parametrize(
    "body",
    [
        "exec sleep 60",
        "cat stream-next; exec sleep 60",
        "exec 3< $(cat stream-next); exec sleep 60",
        f"{READS}; exec sleep 60",
    ],
)
def test_a_module_that_hangs_ends_with_its_time(modules: Modules, body: str) -> None:
    modules.put(f"Download) {body};;")
    modules.options = replace(modules.options, timeout=0.3)
    begin = time.monotonic()

    with pytest.raises(
        ProgramError, match=r"app Download .*did not finish within 0\.3 s; it was killed"
    ):
        modules.stored({"one": b"1" * 200_000})

    assert time.monotonic() < begin + 5


def test_a_process_that_the_module_leaves_behind_does_not_hold_us_up(modules: Modules) -> None:
    body = "next=$(cat stream-next); sleep 60 < $next & echo $! > tmp/pid; sleep 0.1; exit 0"
    modules.put(f"Download) {body};;")

    with pytest.raises(AgentError, match="exit code 0, and did not read streams/one to its end"):
        modules.stored({"one": b"1" * 200_000})

    os.kill(int(modules.files("tmp")["pid"]), 9)


def test_a_damaged_file_ends_the_module(modules: Modules) -> None:
    modules.put("Download) exec cat $(cat stream-next) > tmp/one;;")
    data = artifact(modules.folder, ("app", {"one": os.urandom(300_000)}))

    with pytest.raises(ArtifactError, match="truncated"):
        stored(data[:-100_000], modules.options)


def test_a_file_that_there_is_no_room_for_is_not_begun(modules: Modules) -> None:
    modules.put("")
    modules.options = replace(modules.options, keep_free=1 << 60)

    with pytest.raises(AgentError, match=r"files/one: has 100000 B, and \d+ B are free; "):
        modules.stored()

    assert modules.files("files") == {}


def test_a_pipe_that_is_left_from_before_a_power_cut_is_made_again(modules: Modules) -> None:
    modules.put(f"Download) {READS};;")
    modules.stored()
    os.mkfifo(modules.tree / "stream-next")

    modules.stored()

    assert modules.files("tmp")["one"] == TWO["one"]
