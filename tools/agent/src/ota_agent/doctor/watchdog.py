# SPDX-License-Identifier: Apache-2.0
"""Whether a watchdog ends a silent hang: without one, a trial that hangs never rolls back."""

from collections.abc import Iterator
from dataclasses import dataclass

from ota_agent.doctor.case import Case
from ota_agent.doctor.system import System
from ota_artifact.finding import Finding, warning

_FED_BY = "have it fed: by busybox's watchdog, or by systemd (RuntimeWatchdogSec)"


@dataclass(frozen=True, slots=True)
class Watchdog:
    """One that the kernel has.

    Attributes:
        state: active, inactive; empty: the kernel does not say.
        timeout: until it resets the device [s]; 0 if it is not known.
    """

    name: str
    state: str
    timeout: int


def probe(case: Case) -> Iterator[Finding]:
    """Whether one is fed, and whether the kernel reboots after a panic."""
    system = case.system
    panic = system.text(system.proc / "sys" / "kernel" / "panic")
    yield from judged(watchdogs(system), panic)


def watchdogs(system: System) -> tuple[Watchdog, ...]:
    """Those of the kernel. Source: Linux, Documentation/ABI/testing/sysfs-class-watchdog."""
    try:
        folders = sorted((system.sys / "class" / "watchdog").iterdir())
    except OSError:
        return ()
    return tuple(
        Watchdog(each.name, system.text(each / "state"), system.number(each / "timeout"))
        for each in folders
    )


def judged(found: tuple[Watchdog, ...], panic: str) -> Iterator[Finding]:
    """What is not caught.

    Args:
        panic: seconds until the kernel reboots after a panic, as it says it; empty: unknown.
    """
    if any(each.state == "active" for each in found):
        return
    if not found:
        yield warning(
            "watchdog-missing",
            "/sys/class/watchdog",
            "the kernel has no watchdog: a trial that hangs stays hung until the power is cut",
            "load the driver of the board's watchdog, if it has one",
        )
    for each in found:
        cause = "the kernel does not say whether it is fed"
        if each.state:
            cause = f"it is {each.state}, and could reset the device after {each.timeout} s"
        yield warning(
            "watchdog-not-armed",
            each.name,
            f"{cause}: a trial that hangs may stay so until the power is cut",
            _FED_BY,
        )
    if panic == "0":
        yield warning(
            "panic-without-reset",
            "/proc/sys/kernel/panic",
            "it is 0: a kernel that panics stays there, and the trial does not roll back",
            "add panic=5 to the kernel's arguments",
        )
