# SPDX-License-Identifier: Apache-2.0
"""Updates by hand on a device whose daemon runs: the commands go through it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_agent.api.messages import Wrong
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.unit.agent.cli.test_killed_install import command
from tests.unit.agent.engine.test_daemon import Site, site_of

pytestmark = [
    pytest.mark.boot,  # each starts Python several times
    pytest.mark.timeout(120),
    requires_program("fw_setenv", package="libubootenv-tool"),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A device whose daemon runs."""
    with site_of(tmp_path) as found:
        found.start()
        found.wait(found.status, "daemon")
        yield found


def test_an_update_by_hand_goes_through_the_daemon(site: Site) -> None:
    said = run(command(site.device, "install", str(site.release)), timeout=60)
    assert b"Installed, but not committed." in said
    site.stop()
    site.device.boot()
    site.start()
    assert b"Committed." in run(command(site.device, "commit"), timeout=60)  # as early as can be

    assert site.device.environment["upgrade_available"] == "0"
    provides = json.loads(run(command(site.device, "show-provides", "--json"), timeout=30))
    assert provides["artifact_name"] == "v2"


def test_a_rollback_by_hand_of_a_trial_ends_and_leaves_the_reboot_to_the_user(site: Site) -> None:
    run(command(site.device, "install", str(site.release)), timeout=60)
    site.stop()
    site.device.boot()
    site.start()
    site.wait(lambda: site.is_at("Proven"), "trial")

    ended = subprocess.run(  # noqa: S603 - the code is what matters
        command(site.device, "rollback", "--reboot-exit-code"), capture_output=True, timeout=30
    )

    assert ended.returncode == 4, ended.stderr
    assert ended.stdout.startswith(b"Rolled back.\nAt least one payload requested a reboot")
    assert not (site.device.folder / "rebooted").exists()
    assert (s := site.status())
    assert s.wants_reboot


def test_a_commit_before_the_reboot_is_refused_by_the_daemon_at_once(site: Site) -> None:
    run(command(site.device, "install", str(site.release)), timeout=60)

    with pytest.raises(Wrong, match="not running yet") as refused:
        site.call("commit")

    assert refused.value.kind == "impossible"
