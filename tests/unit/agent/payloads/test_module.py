# SPDX-License-Identifier: Apache-2.0
"""Update modules: their tree, their calls and answers, and what a wrong one can do."""

import json
import logging
import os
from dataclasses import replace

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads.module import UpdateModule, installed_modules, modules_left
from ota_artifact.errors import ProgramError
from ota_artifact.header import PayloadHeader
from tests.unit.agent.payloads.artifacts import after_restart, artifact, stored
from tests.unit.agent.payloads.modules import HEADER, READS, TWO, Modules

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

    modules.begun(replace(HEADER, payloads=(PayloadHeader(type="app"),)))

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


# Calls and answers.


@pytest.mark.parametrize(
    ("said", "answer"),
    [("", "no"), ("echo No", "no"), ("echo Automatic", "automatic"), ("echo; echo Yes", "custom")],
)
def test_a_module_says_whether_it_needs_a_reboot(modules: Modules, said: str, answer: str) -> None:
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


def test_what_a_module_says_on_stderr_is_not_an_answer(modules: Modules) -> None:
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

    with pytest.raises(ProgramError, match=r"ArtifactInstall .*did not finish within 0\.2 s"):
        modules.begun().call("ArtifactInstall")


def test_after_a_restart_it_continues_with_the_tree(modules: Modules) -> None:
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

    with pytest.raises(
        AgentError, match="0000/tree: is gone, and update module app cannot continue"
    ):
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


def test_the_error_says_that_there_is_no_module_at_all(modules: Modules) -> None:
    with pytest.raises(AgentError, match="there are: none at all"):
        modules.begun()


def test_a_module_that_is_not_executable_is_named(modules: Modules) -> None:
    modules.put("", mode=0o644)

    with pytest.raises(AgentError, match=r"ota/app: is not executable; chmod \+x"):
        modules.begun()


@pytest.mark.parametrize("name", ["../app", "/bin/sh", "..", ".", "", "a/b", "-x", "a\nb"])
def test_a_type_that_leads_out_of_the_folder_is_refused(modules: Modules, name: str) -> None:
    with pytest.raises(AgentError, match="is not a payload type"):
        UpdateModule(name, 0, modules.options)


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
    (modules.options.payloads / "0008" / "removed").mkdir(parents=True)
    (modules.options.payloads / "0009").mkdir()
    (modules.options.payloads / "0010" / "tree" / "header").mkdir(parents=True)
    os.mkfifo(modules.options.payloads / "0010" / "tree" / "header" / "payload_type")

    for module in modules_left(modules.options):
        module.call("Cleanup")

    assert (modules.folder / "cleaned").read_text() == "app"
    assert list(modules.options.payloads.iterdir()) == []
