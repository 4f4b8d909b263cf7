# SPDX-License-Identifier: Apache-2.0
"""Each thing that root obeys is refused if another user owns it, and what happens instead."""

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from ota_agent.address import Address
from ota_agent.admission.keys import VerifyOptions, load_keys
from ota_agent.config.section import read
from ota_agent.config.settings import Settings, load_settings
from ota_agent.device.options import DeviceOptions
from ota_agent.device.reboot import require_reboot
from ota_agent.doctor import owners
from ota_agent.doctor.case import open_case
from ota_agent.doctor.system import System
from ota_agent.engine.floor import FloorKeeper
from ota_agent.engine.performer import DevicePerformer
from ota_agent.errors import AgentError
from ota_agent.lifecycle.floor import Floor
from ota_agent.lifecycle.update import Update
from ota_agent.memory.store import Store
from ota_agent.payloads import ModuleOptions
from ota_agent.payloads.module import UpdateModule
from ota_agent.payloads.scripts import ScriptOptions, Scripts
from ota_agent.payloads.tree import tree_of
from ota_agent.server.attributes import identity, inventory
from ota_agent.server.http import pool
from ota_agent.server.options import TlsOptions
from ota_agent.trial.health import CommitOptions, check_health
from tests.unit.agent.api.other_user import NOBODY, requires_root
from tests.unit.agent.doctor.patient import public_key

pytestmark = requires_root

NOT_ROOTS = "belongs to user 65534"


def nobodys(path: Path, text: str = "#!/bin/sh\necho run >> ${0%/*}/ran\n") -> Path:
    """A program of another user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    os.chown(path, NOBODY, -1)
    return path


def test_a_module_of_another_user_fails_its_update(tmp_path: Path) -> None:
    nobodys(tmp_path / "modules" / "app")
    options = ModuleOptions(folders=(tmp_path / "modules",), payloads=tmp_path / "payloads")
    tree_of(options.payloads, 0).mkdir(parents=True)

    with pytest.raises(AgentError, match=NOT_ROOTS):
        UpdateModule("app", 0, options).call("ArtifactInstall")

    assert not (tmp_path / "modules" / "ran").exists()


def test_a_script_of_another_user_is_not_run_and_the_others_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "scripts"
    nobodys(folder / "Download_Enter_00", "#!/bin/sh\ntouch ${0%/*}/evil\n")
    os.chown(nobodys(folder / "Download_Enter_01"), 0, 0)
    options = ScriptOptions(folders=(folder,), artifact_scripts=tmp_path / "artifact")

    Scripts(options).run("Download", "Enter")

    assert (folder / "ran").exists()
    assert not (folder / "evil").exists()
    assert f"Download_Enter_00: {NOT_ROOTS}" in caplog.text


def test_a_script_of_the_artifact_in_a_folder_of_another_user_fails_the_update(
    tmp_path: Path,
) -> None:
    os.chown(nobodys(tmp_path / "artifact" / "ArtifactInstall_Enter_00"), 0, 0)
    os.chown(tmp_path / "artifact", NOBODY, -1)
    options = ScriptOptions(folders=(), artifact_scripts=tmp_path / "artifact")

    with pytest.raises(AgentError, match=NOT_ROOTS):
        Scripts(options).run("ArtifactInstall", "Enter")

    assert not (tmp_path / "artifact" / "ran").exists()


def test_a_health_check_of_another_user_rolls_back(tmp_path: Path) -> None:
    nobodys(tmp_path / "health.d" / "10-web")

    with pytest.raises(AgentError, match=NOT_ROOTS):
        check_health(CommitOptions(folder=tmp_path / "health.d"))

    assert not (tmp_path / "health.d" / "ran").exists()


def test_a_program_of_another_user_does_not_say_who_this_device_is(tmp_path: Path) -> None:
    nobodys(tmp_path / "identity" / "mac", "#!/bin/sh\necho mac=1\n")

    with pytest.raises(AgentError, match=NOT_ROOTS):
        identity((tmp_path / "identity",))


def test_an_inventory_program_of_another_user_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nobodys(tmp_path / "inventory" / "os", "#!/bin/sh\necho os=evil\n")

    assert inventory((tmp_path / "inventory",)) == {}
    assert NOT_ROOTS in caplog.text


def test_a_verification_key_of_another_user_verifies_nothing(tmp_path: Path) -> None:
    key = public_key(tmp_path / "vendor.pem")
    os.chown(key, NOBODY, -1)

    with pytest.raises(AgentError, match=f"no artifact can be verified: .*{NOT_ROOTS}"):
        load_keys(VerifyOptions(keys=(str(key),)))


def test_a_trial_that_could_verify_no_further_update_goes_back(tmp_path: Path) -> None:
    key = public_key(tmp_path / "vendor.pem")
    settings = Settings(
        device=DeviceOptions(data=tmp_path),
        keys=VerifyOptions(keys=(str(key),)),
        commit=CommitOptions(folder=tmp_path / "health.d"),
    )
    store = SimpleNamespace(floor=Floor())
    floor = FloorKeeper(settings=settings, store=cast(Store, store), boot=None)
    trial = cast(DevicePerformer, SimpleNamespace(settings=settings, floor=floor))
    update = Update(source=Address("/a.mender"), target="B")
    DevicePerformer._check_health(trial, update)
    os.chown(key, NOBODY, -1)

    with pytest.raises(AgentError, match=f"no artifact can be verified: .*{NOT_ROOTS}"):
        DevicePerformer._check_health(trial, update)


@pytest.mark.parametrize("name", ["ca_bundle", "server_certificate", "client_certificate"])
def test_a_tls_file_of_another_user_makes_no_connection(name: str, tmp_path: Path) -> None:
    path = nobodys(tmp_path / "x.pem", "")

    options = read(TlsOptions, {name: str(path)}, "here")

    with pytest.raises(AgentError, match=NOT_ROOTS):
        pool(options, timeout=1)


def test_a_reboot_command_of_another_user_is_refused_before_the_update(tmp_path: Path) -> None:
    command = nobodys(tmp_path / "reboot")

    with pytest.raises(AgentError, match=rf"device\.reboot: .*{NOT_ROOTS}"):
        require_reboot(DeviceOptions(reboot=(str(command),)))


def test_a_slots_own_configuration_of_another_user_stops_as_a_damaged_one_does(
    tmp_path: Path,
) -> None:
    path = nobodys(tmp_path / "agent.toml", "[polling]\nupdate = 7\n")

    with pytest.raises(AgentError, match=rf"agent\.toml: {NOT_ROOTS}.*chown root: {path}"):
        load_settings(path, menders=())


@pytest.mark.parametrize("is_menders", [False, True])
def test_a_configuration_on_data_of_another_user_is_passed_over(
    is_menders: bool, tmp_path: Path
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f'[device]\ndata = "{tmp_path}/data"\n')
    text = '{"TenantToken": "x"}' if is_menders else '[server]\ntenant_token = "x"\n'
    wrong = nobodys(tmp_path / "data" / ("mender.conf" if is_menders else "agent.toml"), text)

    found = load_settings(path, menders=(wrong,) if is_menders else ())

    assert found.server.tenant_token == ""
    (passed_over,) = found.passed_over
    assert (passed_over.place, NOT_ROOTS in passed_over.finding) == (str(wrong), True)
    assert found.doubt, "it may have named the keys that artifacts must be signed with"


def test_the_doctor_finds_each_of_them(tmp_path: Path) -> None:
    paths = {
        "modules": nobodys(tmp_path / "modules" / "app"),
        "scripts": nobodys(tmp_path / "scripts" / "Idle_Enter_00"),
        "identity": nobodys(tmp_path / "identity" / "mac"),
        "health": nobodys(tmp_path / "health.d" / "10"),
        "reboot": nobodys(tmp_path / "bin" / "reboot"),
        "key": nobodys(tmp_path / "keys" / "k.pem"),
        "tls": nobodys(tmp_path / "tls" / "ca.pem"),
        "environment": nobodys(tmp_path / "data" / "environment", "LD_PRELOAD=x\n"),
    }
    before = Settings()
    settings = dataclasses.replace(
        before,
        device=DeviceOptions(data=tmp_path / "data", reboot=(str(paths["reboot"]),)),
        keys=VerifyOptions(keys=(str(paths["key"]),)),
        tls=TlsOptions(ca_bundle=str(paths["tls"])),
        modules=ModuleOptions(folders=(tmp_path / "modules",)),
        scripts=ScriptOptions(folders=(tmp_path / "scripts",)),
        commit=CommitOptions(folder=tmp_path / "health.d"),
        attributes=dataclasses.replace(
            before.attributes, identity=(tmp_path / "identity",), inventory=()
        ),
    )

    found = [*owners.probe(open_case(settings, System()))]

    told = {each.place for each in found if each.hazard == "others-may-change"}
    assert {each for each in told if each.startswith(str(tmp_path))} == {*map(str, paths.values())}
    assert [each.place for each in found if each.hazard == "environment-passed-over"] == [
        str(paths["environment"])
    ]
    assert all(f"chown root: {each.place}" in each.remedy for each in found[:-1])


def test_the_doctor_tells_of_folders_in_which_programs_and_modules_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bin", "packages"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, NOBODY, -1)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.syspath_prepend(tmp_path / "packages")

    found = [*owners.probe(open_case(Settings(), System()))]

    told = {each.place: each.cause for each in found if each.hazard == "others-may-change"}
    for name in ("bin", "packages"):
        assert told[f"{tmp_path}/{name}"].endswith(f"{tmp_path}/{name} is used all the same")
