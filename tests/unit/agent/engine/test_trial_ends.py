# SPDX-License-Identifier: Apache-2.0
"""A trial ends, whatever the agent has lost or cannot write: by itself, or by a user's word."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ota_agent.cli import daemon as module
from ota_agent.cli.main import main
from ota_artifact.errors import ProgramError
from ota_artifact.run import Background, run
from tests.conftest import requires_program
from tests.simulators.mender_fleet import Deployment
from tests.unit.agent.cli.test_killed_install import command
from tests.unit.agent.engine.test_daemon import Site, deployed, is_over, site_of

pytestmark = [
    pytest.mark.boot,  # each starts Python several times
    pytest.mark.timeout(120),
    requires_program("fw_setenv", package="libubootenv-tool"),
]

_HASTY = """\
import resource, signal, sys
import ota_agent.engine.daemon as daemon
import ota_agent.engine.trial_end as end
from ota_agent.cli.main import main

daemon.AGAIN = end.AGAIN = 0.5
end.PATIENCE = float(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if limit := int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(["daemon", "--config", sys.argv[3]]))
"""
"""The daemon with little patience, and files that cannot grow beyond a limit [B]; 0: they can."""


def starts(site: Site, *, patience: float = 0.0, limit: int = 0) -> None:
    words = (str(patience), str(limit), str(site.device.configuration))
    site.daemon = Background((sys.executable, "-c", _HASTY, *words))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(tmp_path) as found:
        yield found


def is_on_trial(site: Site) -> None:
    """The device runs a trial that a user has begun."""
    run(command(site.device, "install", str(site.release)), timeout=60)
    site.device.boot()
    assert site.device.running == "B"


def begin_trial(site: Site) -> Deployment:
    """The device has rebooted into a trial that a deployment has begun; no agent runs yet."""
    deployment = deployed(site)
    site.start()
    site.wait((site.device.folder / "rebooted").exists, "a reboot")
    site.stop()
    (site.device.folder / "rebooted").unlink()
    site.device.boot()
    return deployment


def loses_its_memory(site: Site) -> None:
    for path in (site.device.folder / "data").glob("state.db*"):
        path.unlink()


def ask(site: Site, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(site.device, *words), capture_output=True, timeout=60)  # noqa: S603


def test_a_trial_that_nothing_remembers_ends_by_itself(site: Site) -> None:
    is_on_trial(site)
    loses_its_memory(site)

    starts(site)

    site.reboots()
    assert site.device.running == "A"
    assert site.device.environment["upgrade_available"] == "0"
    site.wait(lambda: (s := site.status()) and "went back (count" in s.warning, "warning")


def test_the_server_hears_that_the_trial_was_lost(site: Site) -> None:
    deployment = begin_trial(site)
    loses_its_memory(site)

    starts(site, patience=1e9)

    site.wait(lambda: is_over(site, deployment), "end")
    assert deployment.statuses[-1] == "failure"
    log = "\n".join(each["message"] for each in deployment.log)
    assert "slot B is on trial, and not by this update" in log


def test_a_trial_that_cannot_be_remembered_ends_by_itself(site: Site) -> None:
    deployment = begin_trial(site)

    starts(site, limit=100)

    site.reboots()
    assert site.device.running == "A"
    site.wait(lambda: is_over(site, deployment), "end")
    assert deployment.statuses[-1] == "failure"


def is_tried_by_hand(site: Site) -> None:
    """A user tries the bootloader on a new device, whose slot B is empty."""
    site.device.set(ota_good_a="1", ota_good_b="0", upgrade_available="1")
    site.device.boot()
    site.device.set(ota_good_a="0")  # as the boot logic does with whatever is on trial
    assert site.device.running == "A"


def test_a_trial_that_has_no_way_back_is_kept(site: Site) -> None:
    is_tried_by_hand(site)

    starts(site)

    site.wait(lambda: site.device.environment["upgrade_available"] == "0", "commit")
    assert site.device.environment["mender_boot_part"] == "2"
    assert site.device.environment["ota_good_a"] == "1"
    assert not (site.device.folder / "rebooted").exists()


def test_a_user_is_not_sent_to_a_slot_that_is_not_good(site: Site) -> None:
    is_tried_by_hand(site)

    done = ask(site, "rollback")

    assert done.returncode != 0
    assert b"slot B is not good" in done.stderr
    assert site.device.environment["mender_boot_part"] == "2"
    assert ask(site, "commit").returncode == 0
    assert site.device.environment["upgrade_available"] == "0"


def test_a_trial_that_fills_data_but_for_its_state_is_rolled_back_and_says_so(site: Site) -> None:
    deployment = begin_trial(site)

    with full(site.device.folder / "data"):
        site.start()
        site.reboots()
        site.wait(lambda: is_over(site, deployment), "end")
        site.stop()

    assert site.device.running == "A"
    assert deployment.statuses[-1] == "failure"
    log = "\n".join(each["message"] for each in deployment.log)
    assert "No space left on device: 65536 B cannot be written there" in log


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Have a folder in a filesystem without room."""
    old = folder.with_name("old")
    shutil.copytree(folder, old)
    try:
        run(("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder), timeout=10)
    except ProgramError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    try:
        shutil.copytree(old, folder, dirs_exist_ok=True)
        with (folder / "fill").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield
    finally:
        run(("umount", "--lazy", folder), timeout=10)


@pytest.mark.parametrize("has_daemon", [True, False], ids=["daemon", "no daemon"])
def test_a_user_rolls_a_trial_back_that_nobody_remembers(site: Site, *, has_daemon: bool) -> None:
    is_on_trial(site)
    loses_its_memory(site)
    if has_daemon:
        starts(site, patience=1e9)
        site.wait(lambda: (s := site.status()) and s.warning, "warning")

    done = ask(site, "rollback", "--reboot-exit-code")

    assert done.returncode == 4, done.stderr
    assert done.stdout.startswith(b"Rolled back.\nAt least one payload requested a reboot")
    site.stop()
    site.device.boot()
    assert site.device.running == "A"


@pytest.mark.parametrize("has_daemon", [True, False], ids=["daemon", "no daemon"])
def test_a_user_keeps_a_trial_that_nobody_remembers(site: Site, *, has_daemon: bool) -> None:
    is_on_trial(site)
    loses_its_memory(site)
    if has_daemon:
        starts(site, patience=1e9)
        site.wait(lambda: (s := site.status()) and s.warning, "warning")

    done = ask(site, "commit")

    assert done.returncode == 0, done.stderr
    assert done.stdout == b"Committed.\n"
    assert site.device.environment["upgrade_available"] == "0"
    site.stop()
    site.device.boot()
    assert site.device.running == "B"


@pytest.mark.parametrize("has_daemon", [True, False], ids=["daemon", "no daemon"])
@pytest.mark.parametrize("word", ["commit", "rollback"])
def test_without_a_trial_there_is_nothing_in_progress(
    site: Site, word: str, *, has_daemon: bool
) -> None:
    if has_daemon:
        starts(site, patience=1e9)
        site.wait(site.status, "daemon")

    done = ask(site, word)

    assert done.returncode == 2
    assert b"No update in progress." in done.stderr


def test_an_agent_at_work_on_a_trial_says_so_as_long_as_it_is(site: Site) -> None:
    claim = site.device.folder / "run" / "trial"
    is_on_trial(site)
    starts(site, patience=1e9)
    site.wait(lambda: site.is_at("Proven"), "trial")
    process = Path("/proc") / claim.read_text().split()[0]
    assert b"ota_agent" in (process / "cmdline").read_bytes()

    ask(site, "commit")

    site.wait(lambda: site.is_at("Idle"), "end")
    assert not claim.exists()


def test_a_trial_that_was_ended_is_reported_with_the_reason_that_it_left(site: Site) -> None:
    deployment = deployed(site)
    site.start()
    site.wait((site.device.folder / "rebooted").exists, "a reboot")
    site.stop()
    (site.device.folder / "rebooted").unlink()
    boots = site.device.folder / "data" / "boots" / "000001-x"
    boots.mkdir(parents=True)
    (boots / "end").write_text("no agent is at work on it 900 s after the boot\n")
    site.device.boot()
    site.device.boot()  # the bootloader goes back

    site.start()

    site.wait(lambda: is_over(site, deployment), "end")
    log = "\n".join(each["message"] for each in deployment.log)
    assert "boot 1 was ended: no agent is at work on it 900 s after the boot" in log
    assert (status := site.status())
    assert status.reason.endswith(
        "never committed): no agent is at work on it 900 s after the boot"
    )


@pytest.mark.parametrize(
    ("error", "is_given_up"),
    [
        (ImportError("no module named urllib3"), True),
        (AttributeError("x"), True),
        (MemoryError(), True),
        (SyntaxError("x"), True),
        (SystemExit(3), True),
        (SystemExit(0), False),
        (KeyboardInterrupt(), False),
    ],
    ids=repr,
)
def test_whatever_ends_the_daemon_ends_a_trial(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, *, is_given_up: bool
) -> None:
    reasons: list[str] = []
    monkeypatch.setattr(module, "give_up_trial", reasons.append)
    monkeypatch.setattr(module, "settings_of", _raising(error))

    with suppress(BaseException):
        main(["daemon"])

    assert bool(reasons) == is_given_up
    assert json.dumps(reasons).startswith(f'["{type(error).__name__}: ' if is_given_up else "[")


def _raising(error: BaseException) -> Callable[[object], object]:
    def load(_: object) -> object:
        raise error

    return load
