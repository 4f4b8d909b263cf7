# SPDX-License-Identifier: Apache-2.0
"""A state outlives the agent, a power cut, and the agent's version."""

import json
from dataclasses import asdict

import pytest

from ota_agent.address import Address
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Erring, Idle, RebootingBack, Reporting, State, Trying
from ota_agent.lifecycle.update import Artifact, Update
from ota_agent.memory.record import from_text, to_text, versions_of
from tests.unit.agent.table import reached

FULL = Update(
    source=Address("https://server/a?b=c"),
    deployment="d1",
    artifact=Artifact(
        name="v2",
        group="beta",
        types=(None, "single-file", "rootfs-image"),
        provides={"a.b": "ä"},
        clears=("a.*",),
    ),
    target="B",
    is_rebooting=True,
    has_rebooted=True,
    reboots=3,
    reason="not 'healthy'\n",
    is_consistent=False,
)


@pytest.mark.parametrize("state", reached().values(), ids=reached())
def test_every_state_comes_back_as_it_was(state: State) -> None:
    assert from_text(to_text(state)) == state


def test_the_address_is_kept_with_all_that_a_download_needs_to_continue() -> None:
    address = "https://ada:s3cret@server/a?X-Sig=abc"

    text = to_text(Trying(Update(source=Address(address))))

    assert json.loads(text)["update"]["source"] == address
    state = from_text(text)
    assert isinstance(state, Trying)
    assert state.update.source.full == address


@pytest.mark.parametrize("clears", [None, (), ("a", "b.*")])
def test_all_of_an_update_comes_back(clears: tuple[str, ...] | None) -> None:
    artifact = Artifact(
        name="v2", group="beta", types=(None, "single-file"), provides={"a": "b"}, clears=clears
    )

    assert from_text(to_text(Trying(FULL))) == Trying(FULL)
    state = Reporting(Update(source=Address("u"), artifact=artifact))
    assert from_text(to_text(state)) == state


def test_what_a_newer_agent_wrote_is_read_as_far_as_it_is_known() -> None:
    record = json.loads(to_text(Trying(FULL)))
    record["format"] = 7
    record["update"]["news"] = {"from": "the future"}
    record["update"]["artifact"]["colour"] = "blue"

    assert from_text(json.dumps(record)) == Trying(FULL)


def test_a_state_that_is_not_known_is_one_that_failed() -> None:
    record = json.loads(to_text(Trying(FULL)))
    record["state"] = "Dreaming"

    assert from_text(json.dumps(record)) == Erring(FULL, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"state": "Trying"}',
        '{"state": "Trying", "update": {}}',
        "7",
        '{"state": "Trying", "update": {"source": 7}}',
    ],
)
def test_a_text_that_is_not_a_record_is_called_damaged(text: str) -> None:
    with pytest.raises(AgentError, match="damaged"):
        from_text(text)


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}', '{"a":' * 9000, "7", '"x"'])
def test_versions_that_are_damaged_are_none(text: str) -> None:
    assert versions_of(text) == {}


def test_a_record_of_idle_needs_nothing_else() -> None:
    assert from_text('{"state": "Idle"}') == Idle()


def test_what_was_renamed_keeps_its_name_in_the_record() -> None:
    """Boards in the field hold such records, and an older agent reads ours after a rollback."""
    update = {**asdict(FULL), "source": FULL.source.full, "restarts": FULL.reboots}
    del update["reboots"]
    old = json.dumps({"format": 1, "state": "RestartingBack", "update": update})

    assert from_text(old) == RebootingBack(FULL)
    assert json.loads(to_text(RebootingBack(FULL))) == json.loads(old)
