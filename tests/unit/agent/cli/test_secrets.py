# SPDX-License-Identifier: Apache-2.0
"""What an address holds that is secret, a login and a signature, is shown nowhere."""

import json
import logging
from pathlib import Path

import pytest

from ota_agent.address import Address
from ota_agent.cli.main import main
from ota_agent.cli.questions import asked
from ota_agent.cli.setup import PLACES
from ota_agent.config.settings import load_settings
from ota_agent.dbus.interfaces import values
from ota_agent.doctor.trust import addresses
from ota_agent.engine.assembly import assemble
from ota_agent.engine.floor import FloorKeeper
from ota_agent.engine.observer import StateObserver
from ota_agent.lifecycle.states import Downloading
from ota_agent.lifecycle.update import Update
from ota_agent.server.deployment_log import DeploymentLog, LogOptions
from ota_agent.server.options import ServerOptions, TlsOptions
from tests.simulators.file_server import Manner, file_server, moved
from tests.unit.agent.cli.test_update_by_hand import agent
from tests.unit.agent.scratch import Scratch, scratch

SECRETS = ("ada", "s3cret", "X-Sig")
QUERY = "?X-Sig=abc"


def secret(url: str, query: str = QUERY) -> str:
    """A URL with a login and a signature."""
    return url.replace("://", "://ada:s3cret@") + query


def shown(text: str) -> list[str]:
    """The secrets in a text."""
    return [each for each in SECRETS if each in text]


def bench(folder: Path, **sections: object) -> Scratch:
    """A device that downloads with little patience, and takes plain HTTP."""
    options = {
        "tls": {"allow_plain_http": True},
        "download": {"no_progress": 0.1, "first_delay": 0.1, "inactivity": 2.0},
        **sections,
    }
    return scratch(folder / "device", scripts={"folders": []}, **options)  # type: ignore[arg-type]


def install(device: Scratch, url: str, capsys: pytest.CaptureFixture[str]) -> str:
    """All output of an install that fails, and of a look at what it left."""
    capsys.readouterr()
    assert agent(device, "install", url, "--log-level", "debug") == 1
    said = capsys.readouterr()
    assert agent(device, "status") == 0
    assert agent(device, "status", "--json") == 0
    return said.out + said.err + capsys.readouterr().out


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        (Manner(), "artifact"),
        (Manner(status=404), "is not there"),
        (Manner(status=503), "the server answers 503"),
        (Manner(reset_after=0), "lost"),
        (moved("https://ada:s3cret@[x/a?X-Sig=abc"), "is redirected to https://…"),
        (moved("https://ada:s3cret@h:x/a?X-Sig=abc"), "; correct the address"),
        (moved("ftp://ada:s3cret@h/a?X-Sig=abc"), "is redirected to ftp://h/a, and"),
        (moved("/v3.mender?X-Sig=def"), "more than 10 times"),
    ],
)
def test_an_install_that_fails_shows_none(
    manner: Manner, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with file_server(b"no artifact" * 100) as server:
        server.manner = manner

        said = install(bench(tmp_path), secret(server.url), capsys)

    assert shown(said) == []
    assert words in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://ada:s3cret@127.0.0.1:1/v2.mender?X-Sig=abc", "127.0.0.1:1/v2.mender: is plain"),
        ("http://ada:s3cret@[x/v2.mender?X-Sig=abc", "http://…: is neither"),
        ("https://ada:s3cret@127.0.0.1:x/?X-Sig=abc", "; correct the address"),
    ],
)
def test_an_address_that_is_not_taken_is_named_without(
    url: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = install(bench(tmp_path, tls={}), url, capsys)

    assert shown(said) == []
    assert words in said


@pytest.mark.parametrize(
    "url", ["ftp://ada:s3cret@h/v2?X-Sig=abc", "http:/ada:s3cret@h/v2", "ada:s3cret@h/v2"]
)
def test_a_word_that_is_not_an_address_is_named_without(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agent(bench(tmp_path), "install", url) == 1

    assert shown(capsys.readouterr().err) == []


@pytest.mark.parametrize(
    ("place", "words"),
    [("127.0.0.1:1", "refused"), ("127.0.0.1:x", "http://…: is not"), ("[x", "http://…: is not")],
)
def test_a_proxy_that_is_not_an_address_is_named_without(
    place: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", f"http://ada:s3cret@{place}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    said = install(bench(tmp_path), "http://127.0.0.1:2/v2.mender?X-Sig=abc", capsys)

    assert shown(said) == []
    assert words in said


def test_while_it_downloads_the_api_and_the_bus_show_none(tmp_path: Path) -> None:
    settings = load_settings(bench(tmp_path).configuration)
    update = Update(source=Address(secret("http://h/v2.mender")))

    with assemble(settings) as agent:
        StateObserver(
            settings=settings,
            store=agent.store,
            live=agent.live,
            deployments=agent.deployments,
            boot=None,
            floor=FloorKeeper(settings=settings, store=agent.store, boot=None),
            warnings=agent.warnings,
        ).observe(Downloading(update))

    status = agent.live.get().to_json()
    assert status["source"] == "http://h/v2.mender"
    assert shown(json.dumps(status) + repr(values(status)) + repr(update)) == []


def test_the_log_for_the_server_shows_none(tmp_path: Path) -> None:
    log = DeploymentLog(LogOptions(folder=tmp_path))
    log.open("d1")

    logging.getLogger("ota_agent").error("by a library: %s", secret("http://h/v2.mender"))

    lines = log.lines()
    log.close()
    assert [each["message"] for each in lines] == ["by a library: http://h/v2.mender"]


def test_a_servers_address_is_shown_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = ("https://ada:s3cret@127.0.0.1:1", "ada:s3cret@h", "http://ada:s3cret@[x")
    device = bench(tmp_path, server={"urls": urls[:1], "timeout": 1.0}, tls={})
    settings = load_settings(device.configuration)

    main(["doctor", "--online", "--config", str(device.configuration)])

    said = capsys.readouterr().out
    assert "https://127.0.0.1:1" in said
    assert shown(said + repr(settings)) == []
    assert shown(repr(list(addresses(ServerOptions(urls), TlsOptions())))) == []


def test_a_question_of_setup_shows_none(tmp_path: Path) -> None:
    urls = ("https://ada:s3cret@h/",)
    settings = load_settings(bench(tmp_path, server={"urls": urls}).configuration)
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return ""

    found = asked(settings, dict.fromkeys(PLACES), ask=ask, say=questions.append)

    assert found["server"] == list(urls)
    assert any("[https://h/]" in each for each in questions)
    assert shown("".join(questions)) == []


def test_a_fault_of_the_agent_itself_shows_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = secret("http://127.0.0.1:1/v2.mender")

    def fail(*_: object, **__: object) -> None:
        raise UnicodeEncodeError("ascii", url, 3, 4, "not one")

    monkeypatch.setattr("ota_agent.download.fetch.open_source", fail)

    assert shown(install(bench(tmp_path), url, capsys)) == []
