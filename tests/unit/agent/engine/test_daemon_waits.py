# SPDX-License-Identifier: Apache-2.0
"""The daemon while something else has to come first: a user, room on /data, a device's node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.api.messages import Wrong
from ota_agent.api.status import Status
from tests.conftest import requires_program
from tests.unit.agent.engine.test_daemon import Site, deployed, is_over, site_of

pytestmark = [
    pytest.mark.boot,  # each starts Python several times
    pytest.mark.timeout(120),
    requires_program("fw_setenv", package="libubootenv-tool"),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path) as found:
        yield found


def test_a_device_that_waits_for_its_user_is_not_silent(site: Site) -> None:
    site.start()
    site.wait(lambda: site.is_at("Idle"), "start")
    site.call("install", source=str(site.release))
    site.wait(lambda: site.is_at("Installed"), "install")
    before = len(site.server.asked("attributes"))
    deployment = deployed(site)

    site.wait(lambda: len(site.server.asked("attributes")) >= before + 3, "sign of life")

    assert site.is_at("Installed")
    assert deployment.statuses == []
    assert site.server.fleet.device.attributes["ota_state"] == "Installed"
    site.call("rollback", reason="no")
    site.wait(lambda: is_over(site, deployment) or deployment.statuses, "poll")


def test_a_fresh_device_that_cannot_write_data_starts_and_saves_when_it_can(site: Site) -> None:
    data = site.device.folder / "data"
    (data / "device_type").unlink()
    data.rmdir()
    data.write_text("full")  # root may write anywhere, but not here

    site.start()
    site.wait(lambda: site.is_at("Idle"), "start")
    status = site.status()
    assert status is not None
    assert "until then nothing can be installed" in status.warning
    with pytest.raises(Wrong, match="until then nothing can be installed"):
        site.call("install", source=str(site.release))

    data.unlink()
    data.mkdir()
    (data / "device_type").write_text("device_type=scratch\n")
    site.wait(lambda: not (site.status() or Status(warning="x")).warning, "memory")
    site.wait((data / "key.pem").exists, "key")


def test_slots_that_the_kernel_finds_late_are_known_without_a_restart(site: Site) -> None:
    layout = site.device.folder / "layout.json"
    text = layout.read_text()
    layout.write_text("")
    site.start()
    site.wait(lambda: site.is_at("Idle"), "start")
    status = site.status()
    assert status is not None
    assert "layout.json" in status.warning

    layout.write_text(text)
    site.wait(lambda: not (site.status() or Status(warning="x")).warning, "slots")

    deployment = deployed(site)
    site.reboots()
    site.wait(lambda: is_over(site, deployment), "end")
    assert deployment.statuses[-1] == "success"
