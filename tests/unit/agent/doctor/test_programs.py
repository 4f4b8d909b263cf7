# SPDX-License-Identifier: Apache-2.0
"""Hazards of what the agent calls, and of how the kernel was started."""

import sys
from pathlib import Path

import pytest

from ota_agent.doctor.programs import bus
from ota_agent.doctor.watchdog import Watchdog, judged
from tests.unit.agent.doctor.patient import patient, program

SERVICE = "share/dbus-1/system-services/io.otakit.Agent1.service"
POLICY = "share/dbus-1/system.d/io.otakit.Agent1.conf"


def test_what_is_not_executable_is_named(tmp_path: Path) -> None:
    device = patient(tmp_path)
    for name in ("health.d/20-x", "modules/files", "scripts/Idle_Enter_00", "scripts/version"):
        program(device.folder / name, mode=0o644)

    found = device.hazards()

    assert found["check-not-executable"].severity == "error"
    assert found["module-not-executable"].place.endswith("modules/files")
    assert found["script-not-executable"].place.endswith("Idle_Enter_00")


def test_no_health_checks_are_a_warning(tmp_path: Path) -> None:
    device = patient(tmp_path)
    (device.folder / "health.d" / "10-web").unlink()

    assert device.hazards()["no-health-checks"].severity == "warning"


def test_a_device_with_a_server_must_be_able_to_say_who_it_is(tmp_path: Path) -> None:
    device = patient(tmp_path)
    (device.folder / "identity" / "mac").chmod(0o644)

    assert "mac=" in device.hazards()["identity-missing"].remedy


def test_a_device_that_cannot_reboot_itself_is_in_error(tmp_path: Path) -> None:
    device = patient(tmp_path)
    device.configure('reboot = ["touch"', 'reboot = ["no-such-program"')

    assert "no-such-program" in device.hazards()["program-missing"].place


def test_the_bridge_to_d_bus_may_be_absent_but_not_half_there(tmp_path: Path) -> None:
    assert list(bus((tmp_path,), has_package=False)) == []

    for name in (SERVICE, POLICY):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert list(bus((tmp_path,), has_package=True)) == []

    (tmp_path / POLICY).unlink()
    hazards = [each.hazard for each in bus((tmp_path,), has_package=False)]
    assert hazards == ["d-bus-without-policy", "python-package-missing"]


@pytest.mark.parametrize(
    ("found", "panic", "hazards"),
    [
        ((Watchdog("watchdog0", "active", 30),), "0", []),
        ((Watchdog("watchdog0", "inactive", 30),), "5", ["watchdog-not-armed"]),
        ((Watchdog("watchdog0", "", 0),), "", ["watchdog-not-armed"]),
        ((), "0", ["watchdog-missing", "panic-without-reset"]),
        ((Watchdog("a", "inactive", 1), Watchdog("b", "active", 1)), "0", []),
    ],
)
def test_who_ends_a_silent_hang(
    found: tuple[Watchdog, ...], panic: str, hazards: list[str]
) -> None:
    assert [each.hazard for each in judged(found, panic)] == hazards


def test_a_kernel_that_u_boot_did_not_start_is_found(tmp_path: Path) -> None:
    device = patient(tmp_path)
    (device.system.proc / "cmdline").write_text("root=${mender_kernel_root} ro\n")

    found = device.hazards()["firmware-bypasses-u-boot"]

    assert "root=${mender_kernel_root}" in found.cause


@pytest.mark.parametrize(
    ("argument", "is_other"), [("", False), ("ota.logic=1", False), ("ota.logic=", True)]
)
def test_a_slot_that_another_bootloader_started_is_told(
    tmp_path: Path, argument: str, is_other: bool
) -> None:
    device = patient(tmp_path)
    (device.system.proc / "cmdline").write_text(f"root=/dev/mmcblk0p2 ro {argument}\n")

    assert ("started-by-another-bootloader" in device.hazards()) == is_other


def test_a_kernel_whose_modules_the_slot_lacks_is_a_warning(tmp_path: Path) -> None:
    device = patient(tmp_path)
    modules = device.system.root / "lib" / "modules"
    next(modules.iterdir()).rename(modules / "1.2.3-other")

    assert device.hazards()["kernel-without-modules"].severity == "warning"


def test_a_device_that_has_become_another_one_is_told(tmp_path: Path) -> None:
    device = patient(tmp_path)
    kept = device.folder / "data" / "identity"
    assert device.hazards().keys().isdisjoint({"identity-differs", "identity-unknown"})

    kept.write_text('{"mac":"00:11:22:33:44:55"}')
    assert device.hazards().keys().isdisjoint({"identity-differs", "identity-unknown"})

    kept.write_text('{"mac":"00:11:22:33:44:99"}')
    assert "00:11:22:33:44:99" in device.hazards()["identity-differs"].cause

    program(device.folder / "identity" / "mac", "exit 1")
    assert device.hazards()["identity-unknown"].place == '{"mac":"00:11:22:33:44:99"}'


@pytest.mark.parametrize(
    ("status", "is_warned"),
    [("Name:\tcat\nSeccomp:\t0\nThreads:\t1\n", False), ("Name:\tcat\nThreads:\t1\n", True)],
)
def test_a_kernel_that_cannot_refuse_calls_is_a_warning(
    tmp_path: Path, status: str, is_warned: bool
) -> None:
    device = patient(tmp_path)
    (device.system.proc / "self").mkdir(exist_ok=True)
    (device.system.proc / "self" / "status").write_text(status)

    assert ("kernel-without-seccomp" in device.hazards()) == is_warned


def test_a_python_without_ctypes_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)

    assert "python-without-ctypes" in patient(tmp_path).hazards()
