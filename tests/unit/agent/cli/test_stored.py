# SPDX-License-Identifier: Apache-2.0
"""What waits on /data is installed and run only if it is still that of the signed artifact."""

import json
import shutil
from pathlib import Path

import pytest

from ota_agent.cli.main import main
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.unit.agent.cli.test_trust import VENDOR, trusted
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

MODULE = """#!/bin/sh
case "$1" in
    ArtifactInstall) cat files/text > {folder}/installed ;;
    SupportsRollback) echo Yes ;;
    ArtifactRollback) touch {folder}/rolled-back ;;
esac
"""
SCRIPT = b"#!/bin/sh\necho good >> %s/ran\n"


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    """A device with a key, a module, and an artifact that is downloaded and not installed."""
    (tmp_path / "modules").mkdir()
    module = tmp_path / "modules" / "app"
    module.write_text(MODULE.format(folder=tmp_path))
    module.chmod(0o755)
    (tmp_path / "health.d").mkdir()
    found = scratch(
        tmp_path / "device",
        slot=1 << 20,
        keys={"keys": [trusted(tmp_path)]},
        commit={"folder": str(tmp_path / "health.d")},
        scripts={"folders": []},
        modules={"folders": [str(tmp_path / "modules")]},
    )
    header = PayloadHeader(type="app", provides={"data-partition.app.version": "1"})
    scripts = tuple(
        Script(name=f"{state}_Enter_00", content=SCRIPT % str(tmp_path).encode())
        for state in ("ArtifactInstall", "ArtifactCommit")
    )
    payload = PayloadSpec(header, sources(tmp_path / "files", {"text": b"good", "more": b""}))
    names = Header(
        version=3,
        artifact_name="v1",
        compatible_types=("scratch",),
        payloads=(header,),
        scripts=scripts,
    )
    written(ArtifactSpec(names, (payload,)), tmp_path / "v1.mender", signer=VENDOR)
    assert (
        ota(found, "install", "--stop-before", "ArtifactInstall_Enter", tmp_path / "v1.mender") == 0
    )
    return found


def ota(device: Scratch, command: str, *words: object) -> int:
    return main([command, "--config", str(device.configuration), *map(str, words)])


def test_what_nobody_has_touched_is_installed(device: Scratch, tmp_path: Path) -> None:
    assert ota(device, "resume") == 0
    assert ota(device, "commit") == 0

    assert (tmp_path / "installed").read_text() == "good"
    assert (tmp_path / "ran").read_text() == "good\n" * 2


def _payload(data: Path) -> Path:
    return data / "payloads" / "0000" / "tree" / "files"


def _changed_file(data: Path) -> None:
    (_payload(data) / "text").write_text("evil")


def _another_file(data: Path) -> None:
    (_payload(data) / "another").write_text("evil")


def _missing_file(data: Path) -> None:
    (_payload(data) / "more").unlink()


def _link(data: Path) -> None:
    (_payload(data) / "text").replace(data / "text")
    (_payload(data) / "text").symlink_to(data / "text")


def _changed_script(data: Path) -> None:
    with (data / "scripts" / "ArtifactInstall_Enter_00").open("a") as file:
        file.write("touch evil\n")


def _another_script(data: Path) -> None:
    shutil.copy(
        data / "scripts" / "ArtifactInstall_Enter_00", data / "scripts" / "ArtifactInstall_Enter_99"
    )


def _no_evidence(data: Path) -> None:
    shutil.rmtree(data / "artifact")


def _changed_manifest(data: Path) -> None:
    manifest = data / "artifact" / "manifest"
    manifest.write_bytes(manifest.read_bytes().replace(b"0", b"1"))
    _changed_file(data)


def _no_signature(data: Path) -> None:
    (data / "artifact" / "manifest.sig").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (_changed_file, "files/text: was changed after it was stored"),
        (_another_file, "files/another: is not in the artifact"),
        (_missing_file, "files/more: was changed after it was stored"),
        (_link, "files/text: was changed after it was stored"),
        (_changed_script, "ArtifactInstall_Enter_00: was changed after it was stored"),
        (_another_script, "ArtifactInstall_Enter_99: is not in the artifact"),
        (_no_evidence, "artifact: is gone"),
        (_changed_manifest, "artifact: cannot be verified: "),
        (_no_signature, "artifact: cannot be verified: artifact: is not signed"),
    ],
)
def test_what_was_changed_on_data_is_not_used(
    device: Scratch,
    tmp_path: Path,
    change: object,
    finding: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(change)
    change(tmp_path / "device" / "data")

    assert ota(device, "resume") != 0

    assert finding in capsys.readouterr().err
    assert not (tmp_path / "installed").exists()


def test_a_script_that_was_changed_before_the_commit_does_not_run(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ota(device, "resume") == 0
    script = tmp_path / "device" / "data" / "scripts" / "ArtifactCommit_Enter_00"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/evil\n")

    assert ota(device, "commit") != 0

    assert "ArtifactCommit_Enter_00: was changed after it was stored" in capsys.readouterr().err
    assert not (tmp_path / "evil").exists()


def test_what_is_stored_is_not_used_while_it_is_not_known_which_keys_count(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = device.sections["keys"]["keys"]
    device.sections = {name: each for name, each in device.sections.items() if name != "keys"}
    own = device.folder / "data" / "agent.toml"
    own.write_text(f"[keys]\nkeys = {json.dumps(keys)}\n")
    device.boot()
    assert ota(device, "status") == 0
    own.write_text("[keys\n")
    shutil.rmtree(device.folder / "data" / "artifact")
    (_payload(device.folder / "data") / "text").write_text("evil")

    assert ota(device, "resume") == 1

    assert "it may have said which keys artifacts must be signed with" in capsys.readouterr().err
    assert not (tmp_path / "installed").exists()
    assert not (tmp_path / "ran").exists()
