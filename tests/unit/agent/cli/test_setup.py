# SPDX-License-Identifier: Apache-2.0
"""`ota-agent setup`: by options, by questions on a terminal, and never by half."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from ota_agent.cli.main import main
from ota_agent.cli.questions import asked
from ota_agent.cli.setup import PLACES, changed, place
from ota_agent.config.settings import Settings, default_file, load_settings
from ota_agent.control import ControlOptions
from tests.house.pages import commands, follow
from tests.house.tree import ROOT
from tests.simulators.certificates import make
from tests.simulators.mender_fleet import Fleet
from tests.simulators.mender_server import mender_server
from tests.unit.agent.doctor.patient import public_key
from tests.unit.agent.scratch import scratch

NOTHING: dict[str, object] = dict.fromkeys(PLACES)


def setup(path: Path, *words: str) -> int:
    return main(["setup", "--yes", "--config", str(path), *words])


def settings(path: Path) -> Settings:
    return load_settings(path, menders=())


def test_the_options_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, key = tmp_path / "agent.toml", str(public_key(tmp_path / "vendor.pem"))
    certificate = str(make(tmp_path, "server", valid=(-1, 300)).path)
    words = ["--server", "https://a.example", "--server", "https://b.example", "--key", key]
    words += ["--tenant-token", "t1", "--device-type", "gate", "--policy", "grace"]

    assert setup(path, *words, "--server-certificate", certificate) == 0

    found = settings(path)
    assert found.server.urls == ("https://a.example", "https://b.example")
    assert (found.server.tenant_token, found.device.device_type) == ("t1", "gate")
    assert (found.keys.keys, found.commit.policy) == ((key,), "grace")
    assert found.tls.server_certificate == certificate
    assert path.read_text().startswith("# Written by `ota-agent setup`")
    said = capsys.readouterr().out
    assert f"{path}: written\n" in said
    assert "ota-agent doctor --online" in said


def test_what_is_not_said_stays_and_the_old_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('# mine\n[control]\nexpiry = 7\n[server]\nurls = ["https://a.example"]\n')

    assert setup(path, "--policy", "local") == 0

    assert "\n[control]\nexpiry = 7\n\n[server]\nurls =" in path.read_text()
    assert settings(path).control == ControlOptions(expiry=7)
    assert settings(path).server.urls == ("https://a.example",)
    assert (tmp_path / "agent.toml.old").read_text().startswith("# mine\n[control]")


def test_what_is_as_it_should_be_is_not_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    assert setup(path, "--policy", "local") == 0
    before = path.stat()

    assert setup(path, "--policy", "local") == 0

    assert "says all that already" in capsys.readouterr().out
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        (["--server", "updates.example.com"], "is not the address of a server"),
        (["--server", "http://a.example"], "it is plain HTTP"),
        (["--key", "/none.pem"], "No such file"),
        (["--server-certificate", "/none.crt"], "No such file"),
        ([], "there is nothing to change"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    tmp_path: Path, words: list[str], finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("# mine\n")

    assert setup(path, *words) == 1

    assert finding in capsys.readouterr().err
    assert path.read_text() == "# mine\n"
    assert [each.name for each in tmp_path.iterdir()] == ["agent.toml"]


def test_what_was_wrong_before_does_not_stop_a_change(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('[keys]\nkeys = ["/none.pem"]\n')

    assert setup(path, "--server", "https://a.example") == 0


def test_on_a_device_with_slots_the_file_on_data_is_written(tmp_path: Path) -> None:
    device = scratch(tmp_path)
    local = tmp_path / "data" / "agent.toml"
    options = settings(device.configuration)

    assert place(Path("/etc/ota/agent.toml"), options) == local
    assert place(Path("/etc/ota/agent.toml"), Settings()) == Path("/etc/ota/agent.toml")
    assert place(Path("/proc/self/agent.toml"), options) == Path("/proc/self/agent.toml")


def test_the_file_on_data_is_changed_if_there_is_one_and_counts(tmp_path: Path) -> None:
    device = scratch(tmp_path)
    before = device.configuration.read_text()
    local = tmp_path / "data" / "agent.toml"
    local.write_text("# of this gate\n[server]\ntimeout = 9\n")

    assert setup(device.configuration, "--policy", "grace") == 0

    assert local.read_text().endswith('\n[server]\ntimeout = 9\n\n[commit]\npolicy = "grace"\n')
    assert device.configuration.read_text() == before
    assert settings(device.configuration).commit.policy == "grace"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (b"[sevrer]\n", "[sevrer]: unknown"),
        (b"server = 1\n", "server: is outside any section"),
        (b"[server\n", "is not TOML: "),
        (b'[server]\ntenant_token = "\xff"\n', "is not TOML: "),
    ],
)
def test_a_file_that_the_agent_would_not_take_is_left_as_it_is(
    tmp_path: Path, text: bytes, finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device = scratch(tmp_path)
    local = tmp_path / "data" / "agent.toml"
    local.write_bytes(text)
    before = sorted(local.parent.iterdir())

    assert setup(device.configuration, "--policy", "grace") == 1

    assert f"ota-agent: {local}: {finding}" in capsys.readouterr().err
    assert (local.read_bytes(), sorted(local.parent.iterdir())) == (text, before)


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (["--allow-plain-http"], "tls] allow_plain_http: would be less strict than the slot"),
        (["--server-certificate", "/c.pem"], "tls] server_certificate: is not for a file on /data"),
        (["--key", "/other.pem"], "keys] keys: would be less strict"),
    ],
)
def test_what_a_file_on_data_may_not_say_is_not_written(
    tmp_path: Path, words: list[str], setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device = scratch(tmp_path, keys={"keys": ["/vendor.pem"]})

    assert setup(device.configuration, "--policy", "grace", *words) == 1

    said = capsys.readouterr().err
    assert f"nothing was written: {tmp_path}/data/agent.toml: [{setting}" in said
    assert f"the slot's is {device.configuration}" in said
    assert not (tmp_path / "data" / "agent.toml").exists()


@pytest.mark.parametrize(("accepts", "said"), [(True, "accepts this device"), (False, "accept it")])
def test_online_the_server_is_asked_before_anything_is_written(
    tmp_path: Path, accepts: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device = tmp_path / "device"
    may = {"may": ["usual", "tls.allow_plain_http"]}
    path = scratch(device, attributes={"identity": [str(device)]}, data=may).configuration
    (device / "mac").write_text("#!/bin/sh\necho mac=1\n")
    (device / "mac").chmod(0o755)

    with mender_server(Fleet(accepts=accepts)) as server:
        words = ["--server", server.url, "--allow-plain-http", "--online"]
        assert setup(path, *words) == 0
        assert len(server.asked("auth_requests")) == 1
    assert said in capsys.readouterr().out
    assert settings(path).server.urls == (server.url,)

    before = path.read_text()
    assert setup(path, *words, "--policy", "local") == 1
    assert "nothing was written" in capsys.readouterr().err
    assert path.read_text() == before


def test_the_default_is_printed_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup(tmp_path / "agent.toml", "--print-default") == 0

    assert capsys.readouterr().out == default_file()
    assert list(tmp_path.iterdir()) == []


def test_enter_keeps_what_is_there_and_a_dash_takes_it_away(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    (tmp_path / "device_type").write_text("device_type=gate\n")
    path.write_text(
        f'[device]\ndata = "{tmp_path}"\n[server]\nurls = ["https://a"]\ntenant_token = "t"\n'
    )
    questions = []

    def answered(answers: dict[str, str]) -> dict[str, object]:
        def ask(question: str) -> str:
            questions.append(question)
            return next((text for word, text in answers.items() if word in question), "")

        return asked(settings(path), NOTHING, ask=ask, say=lambda text: None)

    assert changed(settings(path), answered({})) == {}
    assert questions[0].endswith("[https://a]: ")
    assert changed(settings(path), answered({"token": "-", "Server": "https://b https://c"})) == {
        "server": {"urls": ("https://b", "https://c"), "tenant_token": ""}
    }
    assert changed(settings(path), answered({"type": "door"})) == {
        "device": {"device_type": "door"}
    }


def test_a_device_without_a_server_is_not_asked_about_one(tmp_path: Path) -> None:
    questions = []

    def ask(question: str) -> str:
        questions.append(question)
        return ""

    asked(Settings(), NOTHING, ask=ask, say=lambda text: None)

    assert [each.split()[0] for each in questions] == ["Server,", "Device", "Public"]


@pytest.mark.boot  # a process of its own
def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    terminal, other_side = os.openpty()
    command = str(Path(sys.executable).parent / "ota-agent")
    words = [command, "setup", "--config", str(path), "--device-type", "gate"]
    answers = {
        "Server, such": "http://a.example",
        "Tenant token": "",
        "Certificate": "",
        "without TLS": "y",
        "Public keys": "",
        "Policy": "local",
    }

    with subprocess.Popen(words, stdin=other_side, stdout=other_side, stderr=other_side) as user:  # noqa: S603
        os.close(other_side)
        for question, answer in answers.items():
            read_until(terminal, question, end="]: ")
            os.write(terminal, f"{answer}\n".encode())
        read_until(terminal, "written")
    os.close(terminal)

    found = settings(path)
    assert user.returncode == 0
    assert (found.server.urls, found.commit.policy) == (("http://a.example",), "local")
    assert (found.tls.allow_plain_http, found.device.device_type) == (True, "gate")


@pytest.mark.boot  # starts the agent, several times
def test_the_page_on_setting_up_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    said = follow(commands((ROOT / "docs" / "howto" / "set-up-a-device.md").read_text("utf-8")))

    assert 'device_type = "gate"' in said
    assert "# Gate 7." in (tmp_path / "agent.toml.old").read_text()
    assert settings(tmp_path / "agent.toml").commit.policy == "grace"
    assert int(said.splitlines()[-1]) >= 3


def read_until(terminal: int, text: str, *, end: str = "") -> None:
    shown = ""
    while text not in shown or not shown.endswith(end):
        ready, _, _ = select.select([terminal], [], [], 20)
        assert ready, shown
        shown += os.read(terminal, 4096).decode()
