# SPDX-License-Identifier: Apache-2.0
"""The pages on the device API show what is true: all that they show is sent here."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ota_agent.api.calls import CALLS
from ota_agent.api.status import LiveStatus, from_json
from ota_agent.lifecycle.actions import PausePoint
from tests.house.tree import ROOT
from tests.unit.agent.api.serving import Daemon, Line, serving, wait_until

REFERENCE = (ROOT / "docs" / "reference" / "device-api.md").read_text("utf-8")
HOWTO = (ROOT / "docs" / "howto" / "ask-the-user.md").read_text("utf-8")


def talks(page: str) -> list[list[tuple[str, list[Any]]]]:
    """The blocks of a page that show a talk: each request with the lines that it gets."""
    found = []
    for block in re.findall(r"^```\n(> .*?)^```", page, re.MULTILINE | re.DOTALL):
        talk: list[tuple[str, list[Any]]] = []
        for line in block.splitlines():
            if line.startswith("> "):
                talk.append((line[2:], []))
            else:
                talk[-1][1].append(json.loads(line.removeprefix("< ")))
        found.append(talk)
    return found


def is_shown(shown: Any, got: Any) -> bool:
    """Whether what came is what the page shows, as far as it does: ``…`` stands for the rest."""
    if isinstance(shown, dict):
        known = {key: value for key, value in shown.items() if key != "…"}
        has_rest = len(known) < len(shown)
        return (has_rest or known.keys() == got.keys()) and all(
            key in got and is_shown(value, got[key]) for key, value in known.items()
        )
    if isinstance(shown, str) and shown.endswith("…"):
        return bool(got.startswith(shown[:-1]))
    return bool(shown == got)


@pytest.mark.parametrize("talk", talks(REFERENCE), ids=lambda talk: json.loads(talk[0][0])["call"])
def test_what_the_reference_shows_is_what_happens(
    tmp_path: Path, talk: list[tuple[str, list[Any]]]
) -> None:
    (shown,) = (answers[0]["result"] for (_, answers) in talks(REFERENCE)[0])
    daemon = Daemon(live=LiveStatus(from_json(shown)))

    with serving(tmp_path / "sock", daemon), Line(tmp_path / "sock") as line:
        for request, answers in talk:
            line.send(request)
            for answer in answers:
                got = line.next()
                assert is_shown(answer, got), f"{request}: {got}"


def test_the_reference_shows_every_call_and_who_may() -> None:
    shown = {json.loads(request)["call"] for talk in talks(REFERENCE) for request, _ in talk}
    of_group = set(re.findall(r"^`(\w+)` \(\*group\*\)", REFERENCE, re.MULTILINE))

    assert shown == CALLS.keys() | {"dance"}
    assert of_group == {each.name for each in CALLS.values() if each.who == "group"}


def test_the_reference_explains_every_key_of_the_status() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", REFERENCE, re.MULTILINE)
    keys = {key for row in rows for key in re.findall(r"\w+", row)}

    status = from_json({}).to_json()
    assert keys - {"kind", "invalid", "refused", "impossible", "busy", "bug"} == status.keys()
    assert status.keys() == {each.name for each in fields(from_json({}))} | {"percent"}


def test_what_is_not_shown_is_seen() -> None:
    assert is_shown({"a": "b…", "…": "…"}, {"a": "bc", "d": 1})
    assert not is_shown({"a": 1}, {"a": 1, "b": 2})
    assert not is_shown({"a": 1, "…": ""}, {"b": 2})
    assert not is_shown({"a": "b…"}, {"a": "c"})


class Waiting(Daemon):
    """A daemon with an update that waits as soon as a user wants it to."""

    def pause(self, before: PausePoint) -> None:
        super().pause(before)
        self.live.change(state="Downloaded", artifact="v2", waits_for=before, paused_by="device")

    def abort(self, reason: str) -> None:
        super().abort(reason)
        self.live.change(state="Idle", waits_for="", result="failure", reason=reason)


@pytest.mark.parametrize(
    ("answer", "call"), [("y", ("continue",)), ("n", ("abort", "the user said no"))]
)
def test_the_user_is_asked_once_and_heard(
    tmp_path: Path, answer: str, call: tuple[str, ...]
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", HOWTO, re.MULTILINE | re.DOTALL)
    program = tmp_path / "ask.py"
    program.write_text(code)
    daemon = Waiting()

    with serving(tmp_path / "sock", daemon):
        user = subprocess.Popen(  # noqa: S603 - the page's own program
            [sys.executable, "-S", "-E", program, tmp_path / "sock"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: bool(daemon.heard))
        daemon.live.change(note="something else has changed")
        assert user.stdin
        user.stdin.write(f"{answer}\n")
        user.stdin.flush()
        wait_until(lambda: len(daemon.heard) == 2)
        daemon.live.change(note="and again")
        wait_until(lambda: daemon.live.get().waits_for == "")
    said, _ = user.communicate(timeout=10)

    assert daemon.heard == [("pause", "ArtifactInstall"), call]
    assert said == "Install v2 now? [y/n] "
    assert user.returncode == 0
    assert len(code.splitlines()) <= 14
