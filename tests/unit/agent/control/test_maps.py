# SPDX-License-Identifier: Apache-2.0
"""Update control maps, by the rules that Mender's documentation gives."""

import pytest

from ota_agent.control.maps import ControlMap, Rule, judged, parse, parse_text, to_json
from ota_agent.errors import AgentError

ID = "0d1f8c1e-1c2d-4f6a-9c39-0b6f5f4f2d11"
OTHER = "1d1f8c1e-1c2d-4f6a-9c39-0b6f5f4f2d12"


def a_map(action: str, *, id_: str = ID, priority: int = 0, **more: str) -> ControlMap:
    states = {"ArtifactReboot_Enter": {"action": action, **more}}
    found = parse({"id": id_, "priority": priority, "states": states})
    return ControlMap(id=found.id, priority=found.priority, rules=found.rules, ends=100)


def verdict(*maps: ControlMap, now: float = 1.0) -> str:
    return judged(maps, "ArtifactReboot", now)[0]


def test_menders_own_example_is_read_and_written_back() -> None:
    text = (
        '{"id": "0d1f8c1e-1c2d-4f6a-9c39-0b6f5f4f2d11", "priority": 1, "states": {'
        '"ArtifactInstall_Enter": {"action": "pause", "on_map_expire": "force_continue",'
        ' "on_action_executed": "continue"}, "ArtifactCommit_Enter": {"action": "fail"}}}'
    )

    found = parse_text(text)

    assert found.rules == {
        "ArtifactInstall": Rule("pause", "force_continue", "continue"),
        "ArtifactCommit": Rule("fail", "fail", "fail"),
    }
    assert parse(to_json(found)) == found


def test_a_pause_that_says_nothing_else_fails_when_it_expires() -> None:
    assert a_map("pause").rules["ArtifactReboot"] == Rule("pause", "fail", "pause")


def test_a_rule_that_changes_nothing_is_dropped() -> None:
    assert a_map("continue").rules == {}


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ([], "must be an object"),
        ({}, "id: '' is not a UUID"),
        ({"id": "x"}, "'x' is not a UUID"),
        ({"id": ID, "priority": 11}, "priority: 11 is not within"),
        ({"id": ID, "priority": True}, "priority: True is not within"),
        ({"id": ID, "name": 1}, "'name' is unknown"),
        ({"id": ID, "states": {"Download_Enter": {}}}, "'Download_Enter' is unknown"),
        ({"id": ID, "states": {"ArtifactReboot_Enter": {"action": "stop"}}}, "'stop' is not one"),
        (
            {"id": ID, "states": {"ArtifactReboot_Enter": {"on_map_expire": "pause"}}},
            "on_map_expire: 'pause' is not one of",
        ),
        ({"id": ID, "states": {"ArtifactReboot_Enter": {"then": 1}}}, "'then' is unknown"),
    ],
)
def test_a_value_that_is_not_a_map_is_named(value: object, finding: str) -> None:
    with pytest.raises(AgentError, match=finding):
        parse(value)


def test_the_servers_map_has_the_deployments_id_whether_it_says_so_or_not() -> None:
    assert parse({}, deployment="d1").id == "d1"
    with pytest.raises(AgentError, match="is not that of d1"):
        parse({"id": ID}, deployment="d1")


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ((), "continue"),
        ((a_map("pause"),), "pause"),
        ((a_map("pause"), a_map("fail", id_=OTHER)), "fail"),
        ((a_map("pause"), a_map("force_continue", id_=OTHER)), "pause"),
        ((a_map("force_continue", priority=1), a_map("fail")), "continue"),
        ((a_map("pause", priority=1), a_map("fail")), "pause"),
        ((a_map("fail", priority=-1), a_map("pause")), "pause"),
        ((a_map("continue", priority=5), a_map("pause")), "pause"),
    ],
)
def test_the_highest_priority_that_decides_wins(
    maps: tuple[ControlMap, ...], expected: str
) -> None:
    assert verdict(*maps) == expected


def test_an_expired_map_says_what_it_said_it_would() -> None:
    assert verdict(a_map("pause"), now=100.0) == "fail"
    assert verdict(a_map("pause", on_map_expire="continue"), now=100.0) == "continue"


def test_an_approval_for_once_counts_once() -> None:
    once = a_map("force_continue", on_action_executed="pause", on_map_expire="fail")

    first, after = judged((once,), "ArtifactReboot", 1.0)
    second, _ = judged(after, "ArtifactReboot", 2.0)

    assert (first, second) == ("continue", "pause")


def test_a_map_that_nobody_asked_keeps_its_action() -> None:
    below = a_map("force_continue", id_=OTHER, priority=-5, on_action_executed="fail")

    _, after = judged((a_map("pause"), below), "ArtifactReboot", 1.0)

    assert below in after


@pytest.mark.parametrize(
    "text", ["{", '{"id":1,"id":2}', "[" * 100_000, '{"priority":NaN}', "\ud800", "7"]
)
def test_a_map_has_to_be_a_json_object(text: str) -> None:
    with pytest.raises(AgentError, match="update control map"):
        parse_text(text)


def test_a_field_that_is_null_or_empty_is_as_if_it_were_not_there() -> None:
    empty = {"action": "", "on_map_expire": None, "on_action_executed": "pause"}
    states = {"ArtifactReboot_Enter": empty, "ArtifactCommit_Enter": None}

    found = parse({"id": "", "priority": None, "states": states}, deployment="d1")

    assert (found.id, found.priority) == ("d1", 0)
    assert found.rules == {"ArtifactReboot": Rule("continue", "continue", "pause")}
