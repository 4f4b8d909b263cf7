# SPDX-License-Identifier: Apache-2.0
"""What may be damaged on a device whose agent starts all the same, and what it does without."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.admission.keys import load_keys
from ota_agent.config.settings import load_settings
from ota_agent.engine.agent import Agent
from ota_agent.engine.assembly import assemble
from ota_agent.engine.performer import DevicePerformer
from ota_agent.errors import AgentError
from ota_agent.lifecycle.states import Cleaning, Committed, Failing, Installing, Reporting, Trying
from ota_agent.lifecycle.update import Update
from tests.unit.agent.doctor.patient import program
from tests.unit.agent.scratch import Scratch, scratch


@contextmanager
def agent(device: Scratch, *menders: Path) -> Iterator[Agent]:
    with assemble(load_settings(device.configuration, menders=menders)) as found:
        yield found


def performer(found: Agent) -> DevicePerformer:
    made = found.runtime._performer
    assert isinstance(made, DevicePerformer)
    return made


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    return scratch(tmp_path, slot=1 << 16)


@pytest.mark.parametrize("kind", [Committed, Failing, Cleaning, Reporting])
def test_a_lost_state_is_settled_though_an_update_is_not_over(
    device: Scratch, kind: type[Committed | Failing | Cleaning | Reporting]
) -> None:
    """The server may be away for weeks, and each boot would start the other slot."""
    with agent(device) as found:
        update = Update(source=Address("a"), deployment="d", target="B")
        found.store.save(kind(update), "boot-1")
    device.set(ota_lost="2", ota_rollback="lost 2")

    with agent(device):
        pass

    assert "ota_lost" not in device.environment
    assert device.environment["ota_good_a"] == "1"


def test_a_claim_is_renewed_while_it_holds(device: Scratch) -> None:
    with agent(device) as found:
        observer = found.runtime._observe.__self__  # type: ignore[attr-defined]
        update = Update(source=Address("a"), target="A")
        now = 0.0
        observer.clock = lambda: now
        observer._claim(Trying(update))
        claim = found.settings.device.claim
        claim.write_text("as before")

        found.deployments.controls.check()
        assert claim.read_text() == "as before"
        now = 4000.0
        found.deployments.controls.check()
        assert claim.read_text().split()[0] == str(os.getpid())

        claim.unlink()
        now = 9000.0
        found.deployments.controls.check()
        assert not claim.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 64, b"scratch\n", b"device_type=\n", b"\xff\xfe", b"device_type=a b\n"],
)
def test_a_damaged_device_type_is_what_it_was(device: Scratch, content: bytes) -> None:
    path = device.folder / "data" / "device_type"
    with agent(device) as found:
        assert found.deployments.device_type == "scratch"
        assert not found.live.get().warning
    path.write_bytes(content)

    with agent(device) as found:
        assert found.deployments.device_type == "scratch"
        assert str(path) in found.live.get().warning


@pytest.mark.parametrize(
    "content",
    [
        b'device_type="scratch"\n',
        b"device_type='scratch'",
        b"\xef\xbb\xbfdevice_type=scratch\r\n",
        b"# a comment\ndevice_type = scratch\n",
    ],
)
def test_a_device_type_may_be_written_in_more_than_one_way(device: Scratch, content: bytes) -> None:
    (device.folder / "data" / "device_type").write_bytes(content)

    with agent(device) as found:
        assert found.deployments.device_type == "scratch"


def test_a_device_without_a_type_starts_and_says_so(device: Scratch) -> None:
    path = device.folder / "data" / "device_type"
    path.unlink()

    with agent(device) as found:
        assert found.deployments.device_type == ""
        assert f"{path}: is not there: no artifact is for this device" in found.live.get().warning


@pytest.mark.parametrize("text", ["", "{}", "\0" * 100, "[" * 100_000])
def test_without_a_layout_the_agent_starts_and_takes_no_root_filesystem(
    device: Scratch, text: str
) -> None:
    (device.folder / "layout.json").write_text(text)

    with agent(device) as found:
        made = performer(found)
        assert made.boot is None
        assert "layout.json" in made.installers.no_slots
        assert made.installers.no_slots in found.live.get().warning


def test_without_a_layout_an_update_of_a_slot_is_not_judged(device: Scratch) -> None:
    with agent(device) as found:
        update = Update(source=Address("/v2"), deployment="d", target="B")
        found.store.save(Installing(update), "boot-1")
    (device.folder / "layout.json").write_text("")

    with pytest.raises(AgentError, match=r"layout\.json"), agent(device):
        pass


def test_a_damaged_file_that_may_have_named_keys_has_artifacts_refused(device: Scratch) -> None:
    conf = device.folder / "mender.conf"
    conf.write_text("")

    with agent(device, conf) as found:
        doubt = performer(found).floor.doubt

    assert doubt.startswith(f"{conf}: is not JSON")
    with pytest.raises(AgentError, match=f"no artifact can be verified: {conf}"):
        load_keys(found.settings.keys, doubt=doubt)


def test_a_device_that_took_any_artifact_before_continues_with_that(device: Scratch) -> None:
    conf, local = device.folder / "mender.conf", device.folder / "data" / "agent.toml"
    conf.write_text(json.dumps({"ServerURL": "https://a"}))
    with agent(device, conf):
        pass
    conf.write_bytes(b"\0" * 30)
    local.write_text("[server")

    with agent(device, conf) as found:
        assert performer(found).floor.doubt == ""
        assert str(conf) in found.live.get().warning
        assert str(local) in found.live.get().warning


def test_a_device_that_had_a_key_before_refuses_until_it_is_known_again(device: Scratch) -> None:
    local = device.folder / "data" / "agent.toml"
    with agent(device):
        pass
    local.write_text('[keys]\nkeys = ["/k.pem"]\n')
    with agent(device):
        pass
    local.write_text("")

    with agent(device) as found:
        assert performer(found).floor.doubt.startswith(f"{local}: is empty")


def test_what_was_passed_over_is_told_to_users(device: Scratch) -> None:
    local = device.folder / "data" / "agent.toml"
    local.write_text("[polling]\nupdate = -1\n")

    with agent(device) as found:
        assert found.live.get().warning == f"{local}: [polling] update: -1 must not be negative"


@pytest.mark.parametrize("is_own", [True, False])
def test_a_damaged_key_of_the_agent_is_replaced_and_the_users_are_told(
    device: Scratch, is_own: bool
) -> None:
    path = device.folder / ("data/key.pem" if is_own else "key.pem")
    path.write_bytes(b"")
    device.configuration.write_text(
        device.configuration.read_text()
        + '[server]\nurls = ["https://127.0.0.1:1"]\n[key]\nmender_key = ""\n'
        + ("" if is_own else f'path = "{path}"\n')
        + f'[attributes]\nidentity = ["{device.folder}/identity"]\n'
    )
    program(device.folder / "identity" / "mac")

    with agent(device) as found:
        server = found.deployments.server
        assert server is not None
        with pytest.raises(AgentError):
            server.authenticate()

    assert path.with_name("key.pem.broken").exists() == is_own
    said = f"{path}: was damaged, and the device has a new key"
    assert (said in found.live.get().warning) == is_own
    with agent(device) as found:
        assert (said in found.live.get().warning) == is_own
