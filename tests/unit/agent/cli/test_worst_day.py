# SPDX-License-Identifier: Apache-2.0
"""Updates by hand that go wrong on the way back, too: the output is true all the same."""

from pathlib import Path

import pytest

from ota_agent.cli.main import main
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.conftest import requires_program
from tests.unit.agent.cli.test_update_by_hand import NEW, agent
from tests.unit.agent.scratch import Scratch, scratch
from tests.unit.artifact.writing import sources, written

pytestmark = requires_program("fw_setenv", package="libubootenv-tool")

MODULE = """#!/bin/sh
echo "$1" >>{folder}/calls
case "$1" in
    NeedsArtifactReboot) echo {reboot} ;;
    SupportsRollback) echo {rollback} ;;
esac
"""


@pytest.fixture
def device(tmp_path: Path) -> Scratch:
    return scratch(
        tmp_path / "device",
        slot=2 << 20,
        commit={"folder": str(tmp_path / "none")},
        scripts={"folders": []},
        modules={"folders": [str(tmp_path)], "keep_free": 0},
    )


def module(folder: Path, *, reboot: str = "No", rollback: str = "Yes") -> None:
    path = folder / "app"
    path.write_text(MODULE.format(folder=folder, reboot=reboot, rollback=rollback))
    path.chmod(0o755)


def release(folder: Path, *types: str) -> str:
    payloads = tuple(
        PayloadSpec(PayloadHeader(type=kind), sources(folder / f"of-{number}", {"f": NEW}))
        for number, kind in enumerate(types)
    )
    header = Header(
        version=3,
        artifact_name="v2",
        compatible_types=("scratch",),
        payloads=tuple(each.header for each in payloads),
    )
    written(ArtifactSpec(header, payloads), folder / "v2.mender")
    return str(folder / "v2.mender")


def test_a_module_that_needs_a_reboot_is_committed_after_it(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module(tmp_path, reboot="Automatic")
    assert agent(device, "install", "--reboot-exit-code", release(tmp_path, "app")) == 4
    assert agent(device, "commit") == 1

    device.boot()

    assert agent(device, "commit") == 0
    agent(device, "show-artifact")
    assert capsys.readouterr().out.endswith("v2\n")


def test_a_slot_waits_for_the_reboot_even_if_a_module_cannot_go_back(
    device: Scratch, tmp_path: Path
) -> None:
    module(tmp_path, rollback="No")

    assert agent(device, "install", release(tmp_path, "app", "rootfs-image")) == 0
    device.boot()

    assert device.running == "B"
    assert agent(device, "commit") == 0
    assert device.environment["upgrade_available"] == "0"


def test_the_slot_also_goes_back_if_a_module_cannot_and_the_command_says_so(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module(tmp_path, rollback="No")
    agent(device, "install", release(tmp_path, "app", "rootfs-image"))

    assert agent(device, "rollback") == 1

    assert "may be in an inconsistent state" in capsys.readouterr().err
    assert device.environment["mender_boot_part"] == "2"
    assert "ArtifactRollback\n" not in (tmp_path / "calls").read_text()
    agent(device, "show-artifact")
    assert capsys.readouterr().out == "v2_INCONSISTENT\n"


def test_a_rollback_that_could_not_be_done_is_not_called_one(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", release(tmp_path, "rootfs-image"))
    (device.folder / "fw_env.config").rename(device.folder / "away")
    capsys.readouterr()

    assert agent(device, "rollback") == 1

    said = capsys.readouterr()
    assert "Rolled back." not in said.out
    assert "fw_env.config" in said.err


def test_a_trial_whose_rollback_fails_is_left_to_the_bootloader(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", release(tmp_path, "rootfs-image"))
    device.boot()
    (device.folder / "fw_env.config").rename(device.folder / "away")

    assert agent(device, "commit") == 1

    assert "reboot the device" in capsys.readouterr().err
    (device.folder / "away").rename(device.folder / "fw_env.config")
    device.boot()
    assert device.running == "A"
    agent(device, "resume")
    agent(device, "show-artifact")
    assert "INCONSISTENT" not in capsys.readouterr().out


def test_the_command_names_the_slot_that_the_bootloader_did_not_start_without_a_reason(
    device: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent(device, "install", release(tmp_path, "rootfs-image"))
    device.boot()
    device.boot()
    device.set(ota_rollback="")  # as the bootloader of a device that had Mender's client

    assert agent(device, "resume") == 1

    assert "did not start slot B" in capsys.readouterr().err


def test_a_damaged_page_of_the_memory_is_put_aside(device: Scratch) -> None:
    assert agent(device, "resume") == 2  # nothing is in progress
    base = device.folder / "data" / "state.db"
    data = bytearray(base.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    base.write_bytes(data)

    assert agent(device, "resume") == 2

    assert base.with_name("state.db.broken").exists()
    assert base.stat().st_mode & 0o777 == 0o600


def test_a_wrong_option_does_not_end_like_nothing_in_progress(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["commit", "--frobnicate"])

    assert ended.value.code == 1
    assert "see ota-agent" in capsys.readouterr().err
