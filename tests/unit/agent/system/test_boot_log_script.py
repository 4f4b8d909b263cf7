# SPDX-License-Identifier: Apache-2.0
"""The script that keeps the log of a trial boot, in each shell that a device may have."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_agent.trial.boot_log import BootLogOptions, collect
from ota_artifact.run import Background, run
from tests.conftest import requires_program
from tests.house.tree import ROOT

SCRIPT = ROOT / "tools" / "agent" / "system" / "lib" / "ota" / "boot-log"
SHELLS = (
    pytest.param(("dash",), id="dash", marks=requires_program("dash", package="dash")),
    pytest.param(
        ("busybox", "sh"), id="busybox", marks=requires_program("busybox", package="busybox")
    ),
)


@dataclass
class Device:
    """A folder that stands for a device; its kernel's log is a pipe that the test writes into."""

    folder: Path
    shell: tuple[str, ...]

    def __post_init__(self) -> None:
        os.mkfifo(self.folder / "kmsg")
        for name in ("bin", "pstore", "boots", "run"):
            (self.folder / name).mkdir()
        (self.folder / "console").touch()
        self.starts_again("first")
        self.configure()
        self.is_trial(yes=True)

    @property
    def options(self) -> BootLogOptions:
        return BootLogOptions(
            folder=self.folder / "boots",
            pstore=self.folder / "pstore",
            stop=self.folder / "run" / "boot-log.stop",
        )

    def starts_again(self, boot: str) -> None:
        (self.folder / "boot_id").write_text(f"{boot}\n")

    def configure(self, **settings: str) -> None:
        lines = [
            f'folder = "{self.options.folder}"  # ours',
            f'pstore = "{self.options.pstore}"',
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        other = '[other]\nrecord = "never"\n'
        text = "".join(f"{line}\n" for line in lines)
        (self.folder / "agent.toml").write_text(
            f'{other}[boot_log]\n#record = "never"\n{text}{other}'
        )

    def is_trial(self, *, yes: bool) -> None:
        """What a tool of the bootloader says."""
        tool = self.folder / "bin" / "fw_printenv"
        tool.write_text(f'#!/bin/sh\n[ "$*" = "-n upgrade_available" ] && echo {int(yes)}\n')
        tool.chmod(0o755)

    def has_journal(self) -> None:
        """There is systemd: its journal, and a journalctl that says who it is asked of."""
        (self.folder / "journals" / "machine").mkdir(parents=True)
        (self.folder / "journals" / "machine" / "system.journal").touch()
        tool = self.folder / "bin" / "journalctl"
        tool.write_text('#!/bin/sh\necho "$*"\nwhile sleep 0.01; do echo "noise of a unit"; done\n')
        tool.chmod(0o755)

    def is_small(self) -> None:
        """Its programs are busybox's with few options, as OpenEmbedded configures it."""
        for name, option in (("head", "-c"), ("grep", "--line-buffered")):
            tool, real = self.folder / "bin" / name, shutil.which(name)
            tool.write_text(f'#!/bin/sh\ncase " $*" in *" {option}"*) exit 2 ;; esac\n'
                            f'exec {real} "$@"\n')  # fmt: skip
            tool.chmod(0o755)

    def command(self, what: str) -> tuple[str, ...]:
        places = {
            "OTA_CONFIG": "agent.toml",
            "OTA_KMSG": "kmsg",
            "OTA_CONSOLE_DEVICE": "console",
            "OTA_RUN": "run",
            "OTA_GRUB_CONFIG": "grub.config",
            "OTA_BOOT_ID": "boot_id",
            "OTA_JOURNALS": "journals",
        }
        settings = [f"{name}={self.folder / place}" for name, place in places.items()]
        path = f"PATH={self.folder / 'bin'}:{os.environ['PATH']}"
        settings += [f"OTA_LIB={SCRIPT.parent}", f"OTA_U_BOOT_CONFIG={self.folder / 'none'}"]
        return ("env", "OTA_PAUSE=0.02", *settings, path, *self.shell, str(SCRIPT), what)

    def run(self) -> None:
        """Run it where it has nothing to follow."""
        run(self.command("run"), timeout=10)

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.options.folder.iterdir())

    def say(self, text: bytes) -> int:
        """The kernel says something, once a program reads it; gives the pipe's open end."""
        end = time.monotonic() + 10
        while True:
            try:
                pipe = os.open(self.folder / "kmsg", os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:
                assert time.monotonic() < end, "nobody reads the kernel's log"
                time.sleep(0.01)
        os.set_blocking(pipe, True)
        os.write(pipe, text)
        return pipe


@pytest.fixture(params=SHELLS)
def device(request: pytest.FixtureRequest, tmp_path: Path) -> Device:
    return Device(tmp_path, request.param)


def write_for_ever(pipe: int, record: bytes) -> None:
    while True:
        os.write(pipe, record)


def wait_for(what: Callable[[], bool], seen: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end, f"last seen: {seen()}"
        time.sleep(0.01)


def test_a_trial_is_followed_until_it_is_killed(device: Device) -> None:
    script = Background(device.command("run"))
    pipe = device.say(b"6,1,2500000,-;Booting Linux\n")
    wait_for(lambda: len(collect(device.options, boots_since=0)) == 2, device.kept)
    os.write(pipe, b"3,2,3500000,-;the last words\n")
    wait_for(lambda: len(collect(device.options, boots_since=0)) == 3, device.kept)
    script.kill()
    script.close()
    os.close(pipe)

    first, *rest = collect(device.options, boots_since=0)
    assert device.kept() == ["000001-first"]
    assert first.startswith("boot 1: first kernel ")
    assert first.endswith(" trial")
    assert rest == ["[    2.500000] Booting Linux", "[    3.500000] the last words"]


def test_the_log_ends_with_the_trial(device: Device) -> None:
    device.options.stop.touch()

    device.run()

    assert device.kept() == ["000001-first"]


def test_the_log_ends_when_the_bootloader_knows_of_no_trial_any_more(device: Device) -> None:
    script = Background(device.command("run"))
    pipe = device.say(b"6,1,2500000,-;Booting Linux\n")

    device.is_trial(yes=False)

    wait_for(lambda: not script.is_running, device.kept)
    script.close()
    with pytest.raises(BrokenPipeError):
        write_for_ever(pipe, b"6,2,2500001,-;nobody reads this\n")
    os.close(pipe)


def test_a_boot_that_is_not_a_trial_keeps_nothing(device: Device) -> None:
    device.is_trial(yes=False)

    device.run()

    assert device.kept() == []


def test_every_boot_is_kept_if_the_configuration_says_so(device: Device) -> None:
    device.is_trial(yes=False)
    device.configure(record='"always"')
    device.options.stop.touch()

    device.run()

    assert device.kept() == ["000001-first"]


def test_nothing_is_kept_if_the_configuration_says_so(device: Device) -> None:
    device.configure(record='"never"')

    device.run()

    assert device.kept() == []


def test_the_last_boots_are_kept_and_counted_on(device: Device) -> None:
    device.configure(keep="3")
    device.options.stop.touch()
    for number in range(8, 13):
        (device.options.folder / f"{number:06}-id{number}").mkdir()

    device.run()

    assert device.kept() == ["000011-id11", "000012-id12", "000013-first"]


def test_one_boot_has_one_log(device: Device) -> None:
    device.options.stop.touch()

    device.run()
    device.run()

    assert device.kept() == ["000001-first"]


def test_what_a_dying_kernel_left_is_kept_and_taken_out_of_pstore(device: Device) -> None:
    device.is_trial(yes=False)
    (device.options.pstore / "dmesg-ramoops-0").write_text("Panic#1\n")

    device.run()

    assert list(device.options.pstore.iterdir()) == []
    assert "Panic#1" in collect(device.options, boots_since=0)


def test_what_a_dying_kernel_left_is_bounded_also_by_a_small_busybox(device: Device) -> None:
    device.is_small()
    device.is_trial(yes=False)
    device.configure(size=str(8 << 10))
    (device.options.pstore / "dmesg-ramoops-0").write_text("Panic#1\n" + "x" * 4096)

    device.run()

    kept = device.options.folder / "000001-first" / "pstore" / "dmesg-ramoops-0"
    assert (kept.stat().st_size, kept.read_text()[:8]) == (2048, "Panic#1\n")
    assert list(device.options.pstore.iterdir()) == []


def test_the_journal_is_kept_without_the_kernels_lines_and_fills_its_share(device: Device) -> None:
    device.is_small()
    device.has_journal()
    device.configure(size=str(8 << 10))
    script = Background(device.command("run"))
    pipe = device.say(b"6,1,2500000,-;Booting Linux\n")
    journal = device.options.folder / "000001-first" / "journal"
    wait_for(lambda: journal.exists() and journal.stat().st_size == 2048, device.kept)
    script.kill()
    script.close()
    os.close(pipe)

    asked, *rest = journal.read_text().splitlines()
    assert "--follow" in asked
    assert asked.endswith(
        "_BOOT_ID=first _TRANSPORT=driver _TRANSPORT=journal _TRANSPORT=stdout _TRANSPORT=syslog"
    )
    assert set(rest[:-1]) == {"noise of a unit"}


def test_a_noisy_kernel_fills_its_share_and_no_more(device: Device) -> None:
    device.configure(size=str(64 << 10))
    script = Background(device.command("run"))
    record = b"6,1,1,-;" + b"x" * 1015 + b"\n"
    for _ in range(2):  # it is killed at its share, and begins again
        pipe = device.say(record)
        with pytest.raises(BrokenPipeError):
            write_for_ever(pipe, record)
        os.close(pipe)
    folder = device.options.folder / "000001-first"
    wait_for(lambda: (folder / "kernel.old").exists(), device.kept)
    script.kill()
    script.close()

    assert {path.stat().st_size <= 16 << 10 for path in folder.iterdir()} == {True}


def test_grubs_environment_says_what_a_trial_is(device: Device) -> None:
    device.is_trial(yes=False)
    (device.folder / "grub.config").write_text(f"ENV_DIR={device.folder / 'grub'}\n")
    block = device.folder / "grub" / "mender_grubenv2" / "env"
    block.parent.mkdir(parents=True)
    block.write_text("# GRUB Environment Block\nmender_boot_part=3\nupgrade_available=1\n####")
    device.options.stop.touch()

    device.run()

    assert device.kept() == ["000001-first"]


def test_a_programs_output_goes_to_the_console_and_to_the_log(device: Device) -> None:
    folder = device.options.folder / "000001-first"
    folder.mkdir()

    run(device.command("pass"), timeout=10, stdin=b"ota-agent: a\\tb\n  State  *\n")

    for path in (folder / "agent", device.folder / "console"):
        assert path.read_text() == "ota-agent: a\\tb\n  State  *\n"


def test_without_a_log_output_goes_to_the_console_alone(device: Device) -> None:
    run(device.command("pass"), timeout=10, stdin=b"line\n")

    assert (device.folder / "console").read_text() == "line\n"
    assert device.kept() == []


def test_its_own_defaults_are_those_of_the_agent() -> None:
    text = SCRIPT.read_text() + SCRIPT.with_name("trial").read_text()
    options = BootLogOptions()

    for name in ("record", "keep", "size", "pstore"):
        assert f"$(setting boot_log {name} {getattr(options, name)})" in text
    assert f'folder "$(setting device data {options.folder.parent})/boots"' in text


def test_the_boots_follow_the_agents_own_folder(device: Device) -> None:
    (device.folder / "agent.toml").write_text(f'[device]\ndata = "{device.folder}"\n')
    device.options.stop.touch()

    device.run()

    assert device.kept() == ["000001-first"]
