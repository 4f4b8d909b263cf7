# SPDX-License-Identifier: Apache-2.0
"""An update by hand, command by command, on a device in a folder with a real environment."""

import hashlib
import json
from pathlib import Path

import pytest

from ota_agent.cli.main import main
from ota_agent.engine.owner import ownership
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

NEW = hashlib.shake_256(b"new").digest(1 << 20)


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    health = tmp_path / "health.d"
    health.mkdir()
    return scratch(
        tmp_path / "device", slot=2 << 20, commit={"folder": str(health)}, scripts={"folders": []}
    )


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return made(tmp_path, "v2")


def made(
    folder: Path, name: str, kind: str = "scratch", content: bytes = NEW, more: str = ""
) -> Path:
    """An artifact with a root filesystem, and a payload for another module behind it."""
    payload = PayloadSpec(
        PayloadHeader(type="rootfs-image", provides={"rootfs-image.version": name}),
        sources(folder / name, {"root": content}),
    )
    others = (
        (PayloadSpec(PayloadHeader(type=more), sources(folder / more, {"f": b"x"})),)
        if more
        else ()
    )
    payloads = (payload, *others)
    header = Header(
        version=3,
        artifact_name=name,
        compatible_types=(kind,),
        payloads=tuple(each.header for each in payloads),
    )
    written(ArtifactSpec(header, payloads), folder / f"{name}.mender")
    return folder / f"{name}.mender"


def agent(device: Scratch, *words: str) -> int:
    return main([*words, "--config", str(device.configuration)])


def check(device: Scratch, text: str) -> None:
    """The health check that the new release has."""
    path = device.folder.parent / "health.d" / "10-app"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_release_is_installed_tried_and_committed(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agent(device, "install", str(release)) == 0
    said = capsys.readouterr()
    assert "Installed, but not committed." in said.out
    assert "requested a reboot" in said.out
    assert "ota-agent: install: slot B: 50 %" in said.err
    assert device.environment["upgrade_available"] == "1"

    device.boot()
    assert agent(device, "commit") == 0

    assert "Committed." in capsys.readouterr().out
    assert device.slot("B").read_bytes()[: len(NEW)] == NEW
    assert device.environment["upgrade_available"] == "0"
    assert agent(device, "show-artifact") == 0
    assert capsys.readouterr().out == "v2\n"
    assert agent(device, "show-provides", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rootfs-image.version"] == "v2"


def test_the_exit_code_says_that_a_reboot_is_needed(device: Scratch, release: Path) -> None:
    assert agent(device, "install", "--reboot-exit-code", str(release)) == 4


def test_without_an_update_there_is_nothing_to_commit_roll_back_or_resume(
    device: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("commit", "rollback", "resume"):
        assert agent(device, word) == 2
        assert "No update in progress." in capsys.readouterr().err


def test_what_is_not_running_yet_cannot_be_committed(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", str(release))

    assert agent(device, "commit") == 1

    assert "not running yet: reboot the device first" in capsys.readouterr().err


def test_a_rollback_before_the_reboot_needs_none(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", str(release))

    assert agent(device, "rollback", "--reboot-exit-code") == 0

    assert "Rolled back." in capsys.readouterr().out
    device.boot()
    assert device.running == "A"


def test_a_rollback_of_what_runs_needs_a_reboot_by_the_user(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", str(release))
    device.boot()

    assert agent(device, "rollback", "--reboot-exit-code") == 4
    assert "Rolled back." in capsys.readouterr().out
    assert not (device.folder / "rebooted").exists()
    device.boot()
    assert agent(device, "resume") == 0

    assert "Rolled back." in capsys.readouterr().out
    assert device.running == "A"
    assert agent(device, "install", str(release)) == 0


def test_what_was_never_committed_is_rolled_back_by_the_bootloader_and_said(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", str(release))
    device.boot()
    device.boot()

    assert agent(device, "resume") == 1

    assert "started on trial, and never committed" in capsys.readouterr().err
    assert agent(device, "status") == 0
    assert "No update is under way" in capsys.readouterr().out


def test_an_unhealthy_release_is_rolled_back_instead_of_committed(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(device, "echo no database; exit 1")
    agent(device, "install", str(release))
    device.boot()

    assert agent(device, "commit") == 1

    assert "no database" in capsys.readouterr().err
    device.boot()
    assert device.running == "A"


def test_another_install_is_refused_while_one_is_undecided(
    device: Scratch, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", str(release))

    assert agent(device, "install", str(made(tmp_path, "v3"))) == 1

    assert "an update is under way" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stop", "then"),
    [("ArtifactInstall_Enter", "Installed, but not committed."), ("Cleanup", "")],
)
def test_it_stops_where_it_is_told_to_and_continues_later(
    stop: str, then: str, device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word = "install" if stop.startswith("Artifact") else "rollback"
    if word == "rollback":
        agent(device, "install", str(release))
    more = (str(release),) if word == "install" else ()

    assert agent(device, word, *more, "--stop-before", stop) == 0
    assert f"Stopped before {stop}." in capsys.readouterr().out
    agent(device, "resume")

    assert then in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "finding"),
    [
        (lambda folder: made(folder, "other", kind="pi"), "is for pi, and this device is"),
        (lambda folder: made(folder, "big", content=bytes(3 << 20)), "the slot 2097152"),
        (lambda folder: made(folder, "two", more="no-such"), "no-such"),
        (lambda folder: folder / "none.mender", "no such file"),
    ],
)
def test_what_cannot_be_installed_leaves_the_slot_alone(
    make: object, finding: str, device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = device.slot("B").read_bytes()

    assert agent(device, "install", str(make(tmp_path))) == 1  # type: ignore[operator]

    assert finding in capsys.readouterr().err
    assert device.slot("B").read_bytes() == before
    assert device.environment["upgrade_available"] == "0"


def test_a_damaged_artifact_is_not_installed(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(release.read_bytes())
    data[len(data) // 2] ^= 1
    release.write_bytes(data)

    assert agent(device, "install", str(release)) == 1

    assert "System not modified." in capsys.readouterr().err
    assert device.environment["upgrade_available"] == "0"
    assert agent(device, "commit") == 2


def test_one_process_is_the_agent(
    device: Scratch,
    release: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ota_agent.cli.by_daemon._STARTS", 0.1)

    with ownership(device.folder / "run" / "agent.lock"):
        assert agent(device, "install", str(release)) == 1

    assert "no agent" in capsys.readouterr().err.lower()


@pytest.mark.parametrize("word", ["install", "commit", "rollback", "resume"])
def test_a_daemon_is_not_asked_to_stop_before_a_state(
    device: Scratch, release: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    more = (str(release),) if word == "install" else ()

    with ownership(device.folder / "run" / "agent.lock"):
        assert agent(device, word, *more, "--stop-before", "Cleanup") == 1

    assert "stop the daemon first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[device", "is not TOML"),
        ("[devise]", r"[devise]: unknown; known: device, server"),
        ("device = 3", "device: is outside any section"),
        ("[device]\ndata = 3", "[device] data: 3 must be a string"),
    ],
)
def test_a_wrong_configuration_is_named_with_its_place(
    text: str, finding: str, device: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    device.configuration.write_text(text)

    assert agent(device, "show-artifact") == 1

    assert f"{device.configuration}: {finding}" in capsys.readouterr().err
