# SPDX-License-Identifier: Apache-2.0
"""Update modules: their tree, their calls and answers, and what a wrong one can do."""

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads.module import UpdateModule, installed_modules, modules_left
from ota_agent.payloads.options import ModuleOptions
from ota_artifact.errors import ArtifactError, ProgramError
from ota_artifact.header import Header, PayloadHeader
from tests.unit.agent.payloads.artifacts import ABOUT, after_restart, artifact, begun, stored

HEADER = Header(
    3, "release-2", ("board",), (PayloadHeader("app", meta_data=b'{"a":1}'),), artifact_group="beta"
)
TWO = {"one": b"1" * 100_000, "two": b""}

READS = """
while next="$(cat stream-next)" && [ -n "$next" ]; do
    echo "$next" >> tmp/asked
    cat "${next%% *}" > tmp/"$(basename "${next%% *}")"
done"""


class Modules:
    """Folders of update modules, and where their trees are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options = ModuleOptions(
            folders=(folder / "ota", folder / "mender"), payloads=folder / "payloads"
        )
        self.tree = folder / "payloads" / "0000" / "tree"

    def put(self, body: str, *, type_: str = "app", place: str = "ota", mode: int = 0o755) -> None:
        """Put a module there: ``body`` is a case for each state, in sh."""
        path = self.folder / place / type_
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\ncase "$1" in\n{body}\nesac\n')
        path.chmod(mode)

    def begun(self, header: Header = HEADER) -> UpdateModule:
        return begun(header, self.options)[0]

    def stored(self, files: dict[str, bytes] = TWO) -> UpdateModule:
        return stored(artifact(self.folder, ("app", files)), self.options)[0]

    def files(self, folder: str) -> dict[str, bytes]:
        found = self.tree / folder
        return {each.name: each.read_bytes() for each in found.iterdir()} if found.exists() else {}


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    return Modules(tmp_path)


# The tree.


def test_the_tree_tells_what_the_device_is_and_what_is_to_come(modules: Modules) -> None:
    modules.put("")

    modules.begun()

    text = {
        str(path.relative_to(modules.tree)): path.read_text()
        for path in modules.tree.rglob("*")
        if path.is_file()
    }
    assert json.loads(text.pop("header/header-info"))["artifact_provides"] == {
        "artifact_name": "release-2",
        "artifact_group": "beta",
    }
    assert json.loads(text.pop("header/type-info")) == {"type": "app"}
    assert text == {
        "version": "3\n",
        "current_artifact_name": "release-1\n",
        "current_artifact_group": "",
        "current_device_type": "board\n",
        "header/artifact_name": "release-2",
        "header/artifact_group": "beta",
        "header/payload_type": "app",
        "header/meta-data": '{"a":1}',
    }
    assert list((modules.tree / "tmp").iterdir()) == []


def test_meta_data_that_is_not_there_is_an_empty_object(modules: Modules) -> None:
    modules.put("")

    modules.begun(replace(HEADER, payloads=(PayloadHeader("app"),)))

    assert (modules.tree / "header" / "meta-data").read_text() == "{}"


def test_a_tree_that_was_left_makes_room_for_the_new_one(modules: Modules) -> None:
    modules.put("")
    (modules.tree / "files").mkdir(parents=True)
    (modules.tree / "files" / "old").touch()

    modules.begun()

    assert not (modules.tree / "files").exists()


def test_it_runs_in_the_tree_with_the_state_and_the_tree(
    modules: Modules, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    modules.put('ArtifactInstall) echo "$# $1 $2 $(pwd)"; echo careful >&2;;')

    modules.begun().call("ArtifactInstall")

    assert f"app (stdout): 2 ArtifactInstall {modules.tree} {modules.tree}" in caplog.text
    assert "update module app (stderr): careful" in caplog.text


# Download.


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

    with pytest.raises(ProgramError, match=r"app Download .*no end after 0\.3 s; it was killed"):
        modules.stored({"one": b"1" * 200_000})

    assert time.monotonic() < begin + 5


def test_somebody_that_the_module_leaves_behind_does_not_hold_us_up(modules: Modules) -> None:
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

    with pytest.raises(AgentError, match=r"files/one: has 100000 B, and \d+ B are free, of which"):
        modules.stored()

    assert modules.files("files") == {}


def test_a_pipe_that_is_left_from_before_a_power_cut_is_made_anew(modules: Modules) -> None:
    modules.put(f"Download) {READS};;")
    modules.stored()
    os.mkfifo(modules.tree / "stream-next")

    modules.stored()

    assert modules.files("tmp")["one"] == TWO["one"]


# Calls and answers.


@pytest.mark.parametrize(
    ("said", "answer"),
    [("", "no"), ("echo No", "no"), ("echo Automatic", "automatic"), ("echo; echo Yes", "custom")],
)
def test_a_module_says_whether_it_wants_a_reboot(modules: Modules, said: str, answer: str) -> None:
    modules.put(f"NeedsArtifactReboot) {said};;")

    assert modules.begun().wants_reboot() == answer


@pytest.mark.parametrize(("said", "answer"), [("", False), ("echo No", False), ("echo Yes", True)])
def test_a_module_says_whether_it_can_roll_back(modules: Modules, said: str, answer: bool) -> None:
    modules.put(f"SupportsRollback) {said};;")

    assert modules.begun().can_roll_back() is answer


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ("echo yes", "says 'yes'; the protocol has No, Yes"),
        ("echo Automatic", "says 'Automatic'"),
        ("echo Yes; echo No", "says 'Yes' and 'No'"),
        ("echo Yes; exit 2", "SupportsRollback: exit code 2"),
        ("yes | head -100000", "says 'y' and 'y'"),
    ],
)
def test_any_other_answer_is_refused(modules: Modules, said: str, finding: str) -> None:
    modules.put(f"SupportsRollback) {said};;")

    with pytest.raises(AgentError, match=finding):
        modules.begun().can_roll_back()


def test_what_a_module_says_on_stderr_is_no_answer(modules: Modules) -> None:
    modules.put("SupportsRollback) echo what >&2; echo Yes;;")

    assert modules.begun().can_roll_back()


def test_each_state_is_called_and_a_failure_is_told(modules: Modules) -> None:
    modules.put('ArtifactRollback) exit 7;;\n*) echo "$1" >> tmp/calls;;')
    module = modules.begun()

    for call in ("ArtifactInstall", "ArtifactReboot", "ArtifactVerifyReboot", "ArtifactCommit"):
        module.call(call)
    with pytest.raises(AgentError, match="update module app: ArtifactRollback: exit code 7"):
        module.call("ArtifactRollback")

    assert modules.files("tmp")["calls"].split() == [
        b"ArtifactInstall",
        b"ArtifactReboot",
        b"ArtifactVerifyReboot",
        b"ArtifactCommit",
    ]


def test_a_state_that_hangs_ends_with_its_time(modules: Modules) -> None:
    modules.put("ArtifactInstall) exec sleep 60;;")
    modules.options = replace(modules.options, timeout=0.2)

    with pytest.raises(ProgramError, match=r"ArtifactInstall .*no end after 0\.2 s"):
        modules.begun().call("ArtifactInstall")


def test_after_a_restart_it_goes_on_with_the_tree(modules: Modules) -> None:
    modules.put('ArtifactCommit) cat files/one >> "$2"/tmp/committed;;')
    modules.stored({"one": b"1"})

    after_restart(("app",), modules.options)[0].call("ArtifactCommit")

    assert modules.files("tmp")["committed"] == b"1"


@pytest.mark.parametrize("code", [0, 1])
def test_after_cleanup_the_tree_is_gone(modules: Modules, code: int) -> None:
    modules.put(f"Cleanup) touch {modules.folder}/cleaned; exit {code};;")
    module = modules.begun()

    if code:
        with pytest.raises(AgentError, match="Cleanup: exit code 1"):
            module.call("Cleanup")
    else:
        module.call("Cleanup")

    assert (modules.folder / "cleaned").exists()
    assert not modules.tree.parent.exists()


def test_a_second_cleanup_has_nothing_to_do(modules: Modules) -> None:
    modules.put("Cleanup) exit 1;;")

    after_restart(("app",), modules.options)[0].call("Cleanup")


@pytest.mark.parametrize("call", ["ArtifactInstall", "ArtifactRollback", "ArtifactFailure"])
def test_without_a_tree_nothing_else_is_called(modules: Modules, call: str) -> None:
    modules.put("")

    with pytest.raises(AgentError, match="0000/tree: is gone, and update module app cannot go on"):
        after_restart(("app",), modules.options)[0].call(call)  # type: ignore[arg-type]


# Which module.


def test_a_module_of_ours_comes_before_one_of_mender(modules: Modules) -> None:
    modules.put("SupportsRollback) echo Yes;;")
    modules.put("SupportsRollback) exit 1;;", place="mender")

    assert modules.begun().can_roll_back()


def test_a_module_that_is_missing_is_named_with_those_that_are_there(modules: Modules) -> None:
    modules.put("", type_="deb")
    modules.put("", type_="rpm", place="mender")
    modules.put("", type_="README", mode=0o644)

    with pytest.raises(AgentError, match=r"of type app in .*/ota, .*/mender; there are: deb, rpm"):
        modules.begun()

    assert installed_modules(modules.options) == ("deb", "rpm")
    assert not modules.tree.exists()


def test_no_module_at_all_is_said_so(modules: Modules) -> None:
    with pytest.raises(AgentError, match="there are: none at all"):
        modules.begun()


def test_a_module_that_is_not_executable_is_named(modules: Modules) -> None:
    modules.put("", mode=0o644)

    with pytest.raises(AgentError, match=r"ota/app: is not executable; chmod \+x"):
        modules.begun()


@pytest.mark.parametrize("name", ["../app", "/bin/sh", "..", ".", "", "a/b", "-x", "a\nb"])
def test_a_type_that_leads_out_of_the_folder_is_refused(modules: Modules, name: str) -> None:
    with pytest.raises(AgentError, match="is not a payload type"):
        UpdateModule(name, 0, modules.options, ABOUT)


# Several payloads.


def test_each_payload_has_its_tree_and_its_module(modules: Modules) -> None:
    modules.put("")
    modules.put(f"Download) {READS};;", type_="reader")
    data = artifact(
        modules.folder, ("app", {"f": b"0"}), ("reader", {"f": b"1"}), ("app", {"f": b"2"})
    )

    stored(data, modules.options)

    payloads = modules.options.payloads
    assert (payloads / "0000" / "tree" / "files" / "f").read_bytes() == b"0"
    assert (payloads / "0001" / "tree" / "tmp" / "f").read_bytes() == b"1"
    assert (payloads / "0002" / "tree" / "files" / "f").read_bytes() == b"2"


def test_what_a_failed_download_left_can_be_cleaned_up(modules: Modules) -> None:
    modules.put(f"Cleanup) cat header/payload_type >> {modules.folder}/cleaned;;")
    modules.put("Download) exit 1;;", type_="wrong")
    data = artifact(modules.folder, ("app", TWO), ("wrong", TWO))
    with pytest.raises(AgentError, match="update module wrong: Download: exit code 1"):
        stored(data, modules.options)
    (modules.options.payloads / "0007" / "tree").mkdir(parents=True)

    for module in modules_left(modules.options):
        module.call("Cleanup")

    assert (modules.folder / "cleaned").read_text() == "app"
    assert list(modules.options.payloads.iterdir()) == []
