# SPDX-License-Identifier: Apache-2.0
"""What is a request and what is an answer, and what is neither."""

import pytest

from ota_agent.api.calls import CALLS
from ota_agent.api.messages import (
    Wrong,
    error_line,
    parse_answer,
    parse_request,
    request_line,
    result_line,
    status_line,
)
from ota_agent.api.status import Status, from_json
from ota_agent.errors import AgentError


def test_a_request_arrives_as_it_was_sent() -> None:
    line = request_line("rollback", {"reason": "zu groß\n"[:-1]})

    assert line.endswith(b"\n")
    assert parse_request(line) == (CALLS["rollback"], {"reason": "zu groß"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 50_000, "not JSON"),
        (b'{"call": "status"', "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b"[]", "not a request"),
        (b'{"cal": "status"}', "not a request"),
        (b'{"call": 1}', "not a request"),
        (b'{"call": "reboot"}', "no call 'reboot'; there are status, watch"),
        (b'{"call": "%s"}' % (b"x" * 60_000), "no call 'x{40}…'"),
        (b'{"call": "status", "verbose": true}', "no argument 'verbose'"),
        (b'{"call": "abort"}', "the argument reason has to be a text in one line"),
        (b'{"call": "abort", "reason": null}', "the argument reason has to be a text in one line"),
        (b'{"call": "pause", "before": ["ArtifactInstall"]}', "before has to be one of"),
        (b'{"call": "set_enabled", "enabled": 1}', "enabled has to be true or false"),
        (b'{"call": "pause", "before": "Idle"}', "before has to be one of ArtifactInstall"),
        (b'{"call": "install", "source": "a\\u0000b"}', "source has to be a text in one line"),
        (b'{"call": "install", "source": "a\\nb"}', "source has to be a text in one line"),
        (b'{"call": "install", "source": "\\ud800"}', "source has to be a text in one line"),
        (b'{"call": "set_control_map", "map": "\\ud800"}', "map has to be a text"),
        (b'{"call": "abort", "reason": "%s"}' % (b"x" * 5000), "4096 characters"),
    ],
)
def test_what_is_not_a_request_is_refused_with_its_reason(line: bytes, says: str) -> None:
    with pytest.raises(Wrong, match=says) as caught:
        parse_request(line)

    assert caught.value.kind == "invalid"
    assert len(str(caught.value)) < 400


def test_a_map_may_have_many_lines() -> None:
    line = request_line("set_control_map", {"map": "{\n}"})

    assert parse_request(line) == (CALLS["set_control_map"], {"map": "{\n}"})


def test_a_group_cannot_install_commit_or_have_the_token() -> None:
    assert {each.name for each in CALLS.values() if each.who == "group"} == {
        *("status", "watch", "pause", "continue", "abort")
    }


def test_answers_are_told_apart() -> None:
    assert parse_answer(result_line({"a": 1})) == {"result": {"a": 1}}
    assert from_json(parse_answer(status_line(Status(state="Trying")))["status"]) == Status(
        state="Trying"
    )
    with pytest.raises(Wrong, match="why") as caught:
        parse_answer(error_line("refused", "why"))
    assert caught.value.kind == "refused"


@pytest.mark.parametrize("line", [b"", b"{}\n", b"[]\n", b"HTTP/1.1 200 OK\n", b'{"error": 1}\n'])
def test_what_is_not_an_answer_is_found(line: bytes) -> None:
    with pytest.raises(AgentError, match="the agent has sent"):
        parse_answer(line)
