# SPDX-License-Identifier: Apache-2.0
"""The doctor says nothing of a healthy device, and looks without changing anything."""

import json
import os
import sys
from pathlib import Path

import pytest

from ota_agent.cli.main import main
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.simulators.mender_fleet import Fleet
from tests.simulators.mender_server import mender_server
from tests.unit.agent.api.serving import Daemon, serving
from tests.unit.agent.doctor.patient import Patient, patient

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

TRIAL_SETUP = {"running-slot-set"}  # of every scratch device, which has no slot mounted


def contents(device: Patient) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in device.folder.rglob("*") if path.is_file()}


def test_a_trial_that_nothing_ends_without_its_agent_is_a_finding(tmp_path: Path) -> None:
    device = patient(tmp_path)
    (device.folder / "run" / "deadline").unlink()

    assert device.hazards()["trial-without-deadline"].severity == "warning"


def test_a_healthy_device_has_no_hazard(tmp_path: Path) -> None:
    device = patient(tmp_path)

    with serving(device.folder / "run" / "agent.sock", Daemon()):
        assert set(device.hazards()) == TRIAL_SETUP


def test_looking_changes_nothing(tmp_path: Path) -> None:
    device = patient(tmp_path)
    before = contents(device)

    device.hazards()

    assert contents(device) == before


def test_a_device_whose_agent_does_not_run_is_in_error_if_it_has_a_server(tmp_path: Path) -> None:
    assert patient(tmp_path / "a").hazards()["agent-not-running"].severity == "error"
    assert patient(tmp_path / "b", server={}).hazards()["agent-not-running"].severity == "warning"


def test_a_group_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = patient(tmp_path, api={"group": "no-such-group"}).hazards()["group-missing"]

    assert found.place == "[api] group: no-such-group"


def test_errors_end_with_1_and_json_has_what_the_text_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = patient(tmp_path)
    (device.folder / "data" / "device_type").unlink()
    words = ["doctor", "--config", str(device.device.configuration)]

    assert main(words) == 1
    text = capsys.readouterr().out
    assert main([*words, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]

    assert "error: device-type-missing: " in text
    for each in found:
        assert set(each) == {"hazard", "place", "cause", "remedy", "severity"}
        assert f"{each['severity']}: {each['hazard']}: {each['place']}\n" in text
        assert f"  cause: {each['cause']}\n  remedy: {each['remedy']}\n" in text
    assert text.endswith(f" {sum(each['severity'] == 'warning' for each in found)} warnings\n")


def test_warnings_alone_end_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = patient(tmp_path)
    monkeypatch.setattr("ota_agent.doctor.examine.System", lambda: device.system)

    with serving(device.folder / "run" / "agent.sock", Daemon()):
        assert main(["doctor", "--config", str(device.device.configuration)]) == 0

    assert capsys.readouterr().out.endswith("0 errors, 1 warning\n")


def test_a_configuration_that_is_wrong_is_the_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "agent.toml").write_text("[device]\ndeviec_type = 1\n")

    assert main(["doctor", "--json", "--config", str(tmp_path / "agent.toml")]) == 1

    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["hazard"] == "configuration-wrong"
    assert "deviec_type: unknown" in found["cause"]


@pytest.mark.parametrize("accepts", [True, False])
def test_online_a_server_is_asked_once_and_says_whether_it_accepts_the_device(
    tmp_path: Path, accepts: bool
) -> None:
    with mender_server(Fleet(accepts=accepts)) as server:
        device = patient(tmp_path, server={"urls": [server.url]}, tls={"allow_plain_http": True})

        found = device.hazards(is_online=True)

    assert "server-unreachable" not in found
    assert ("device-not-accepted" in found) is not accepts
    assert len(server.asked("auth_requests")) == 1


def test_online_a_server_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    with mender_server(Fleet()) as server:
        url = server.url
    device = patient(tmp_path, server={"urls": [url]}, tls={"allow_plain_http": True})

    assert "refused" in device.hazards(is_online=True)["server-unreachable"].cause


def test_a_device_that_lacks_a_package_is_told_so_and_the_doctor_runs(tmp_path: Path) -> None:
    """The interpreter sees nothing but the standard library and our own packages."""
    device = patient(tmp_path)
    words = [sys.executable, "-S", "-m", "ota_agent.cli.main", "doctor", "--json"]
    words += ["--config", str(device.device.configuration)]
    paths = os.pathsep.join(str(ROOT / "tools" / each / "src") for each in ("agent", "artifact"))

    said = run(words, timeout=30, environment={"PYTHONPATH": paths}, success=(1,))

    missing = {
        each["place"]: each["severity"]
        for each in json.loads(said)["findings"]
        if each["hazard"] == "python-package-missing"
    }
    assert missing == {"urllib3": "error", "cryptography": "error", "zstandard": "warning"}
