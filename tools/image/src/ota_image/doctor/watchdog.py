# SPDX-License-Identifier: Apache-2.0
"""What ends a silent hang, and from when on: a fact of each image, and its hazards."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ota_artifact.finding import Finding
from ota_board.device import WATCHDOG, WATCHDOG_TIMEOUT
from ota_image.disk.slot import Slot
from ota_image.doctor.bootloader import is_whole
from ota_image.doctor.case import Case
from ota_image.doctor.initrd import starts_watchdog
from ota_image.doctor.slot_hardware import SETTINGS, settings_in
from ota_image.hardware.drivers import module_name

_SYSTEMD = "/etc/systemd/system.conf"
_RUNTIME = re.compile(r"^RuntimeWatchdogSec=([0-9]{1,10})s?$", re.MULTILINE)
_SECONDS = re.compile(r"[0-9]{1,10}")
_U_BOOTS = b"WDT:   "  # Source: U-Boot, drivers/watchdog/wdt-uclass.c
_OWN = {"bcm2835_wdt": b"bcm2835_wdt\0"}
"""U-Boot's drivers that its older versions lack, by Linux's. Source: U-Boot, drivers/watchdog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What is known of a watchdog.

    Attributes:
        armed_by: what starts it first; ``linux``: the image only says that Linux does.
        driver: Linux's module; empty if there is none, or if it is unknown.
        timeout: until it resets the board [s]; 0 if it is unknown.
        is_stopped: Linux stops what the bootloader armed, until userspace starts it again.
        source: where this is known from: ``board``, ``slot``, or ``nothing``.
        in_initrd: the initrd of each slot starts it, and feeds it until userspace does.
    """

    armed_by: Literal["u-boot", "kernel", "nobody", "linux", "unknown"]
    driver: str
    timeout: int
    is_stopped: bool
    source: Literal["board", "slot", "nothing"]
    in_initrd: bool = False

    @property
    def gap(self) -> str:
        """When a silent hang is not caught, in words; empty if that is not known."""
        who = "the initrd" if self.in_initrd else "userspace"
        if self.is_stopped:
            return f"before that, nor from the kernel's drivers until {who} starts it again"
        until = f"before {who} starts it"
        return {
            "u-boot": "before that",
            "kernel": f"{until}, in the bootloader and in the kernel",
            "linux": f"{until}, unless the bootloader arms it",
            "nobody": "at any time, and lasts until the power is cut",
            "unknown": "",
        }[self.armed_by]


def cover_of(case: Case) -> Cover:
    """What arms the watchdog, by the board, else by slot A."""
    filled = [slot for slot in case.slots if not slot.is_empty]
    cover = _cover(case, filled)
    return replace(cover, in_initrd=bool(filled) and all(map(_in_initrd, filled)))


def _in_initrd(slot: Slot) -> bool:
    path = slot.extlinux.initrd if slot.extlinux else ""
    data = slot.part.read(path) if path else None
    return data is not None and starts_watchdog(data)


def _cover(case: Case, filled: list[Slot]) -> Cover:
    if case.board:
        watchdog = case.board.watchdog
        is_stopped = watchdog.stopped_by == "kernel"
        return Cover(
            armed_by=watchdog.armed_by,
            driver=watchdog.driver,
            timeout=watchdog.timeout,
            is_stopped=is_stopped,
            source="board",
        )
    for slot in filled:
        if found := _of_slot(slot):
            return found
    return Cover(armed_by="unknown", driver="", timeout=0, is_stopped=False, source="nothing")


def sentence(cover: Cover) -> str:
    """The same as a sentence."""
    if cover.armed_by == "unknown":
        return "watchdog: the image does not say what arms one; give --board"
    who = {"u-boot": "U-Boot", "nobody": "nobody"}.get(cover.armed_by, "Linux")
    what = "one"
    if cover.armed_by != "nobody":
        what = f"{cover.driver or 'a watchdog'}, {cover.timeout} s"
    return f"watchdog: {who} arms {what}; a silent hang is not caught {cover.gap}"


def probe(case: Case) -> Iterator[Finding]:
    """Where the board relies on a watchdog that nothing can arm or serve."""
    watchdog = case.board.watchdog if case.board else None
    if watchdog is None or watchdog.armed_by == "nobody":
        return
    for slot, drivers in case.drivers.items():
        if watchdog.driver and drivers is not None and module_name(watchdog.driver) not in drivers:
            yield Finding(
                hazard="watchdog-without-driver",
                place=f"slot {slot}: /lib/modules",
                cause=f"the board's watchdog needs {watchdog.driver}, which is neither there nor"
                " built in: a silent hang is not caught, or a watchdog that U-Boot armed resets a"
                " good system",
                remedy="install it with the kernel",
            )
    if watchdog.armed_by != "u-boot":
        return
    wanted = (_U_BOOTS, _OWN.get(watchdog.driver, _U_BOOTS))
    for each in case.firmware:
        if is_whole(each) and not all(name in each.data for name in wanted):
            yield Finding(
                hazard="u-boot-without-watchdog",
                place=f"U-Boot {each.version} {each.place}",
                cause="the board says that U-Boot arms the watchdog, and this U-Boot has no driver"
                " for one: a kernel that hangs early stays hung",
                remedy="build it with WDT, WATCHDOG_AUTOSTART and the board's driver",
            )


def _of_slot(slot: Slot) -> Cover | None:
    text = slot.part.text(SETTINGS)
    if text is not None:
        values = settings_in(text)
        driver, timeout = values.get(WATCHDOG, ""), values.get(WATCHDOG_TIMEOUT, "")
        seconds = int(timeout) if _SECONDS.fullmatch(timeout) else 0
        return Cover(
            armed_by="linux" if driver else "nobody",
            driver=driver,
            timeout=seconds,
            is_stopped=False,
            source="slot",
        )
    names = (f"{_SYSTEMD}.d/{name}" for name in slot.part.names(f"{_SYSTEMD}.d"))
    found = [_RUNTIME.search(slot.part.text(name) or "") for name in (_SYSTEMD, *names)]
    seconds = max((int(match[1]) for match in found if match), default=0)
    return (
        Cover(armed_by="linux", driver="", timeout=seconds, is_stopped=False, source="slot")
        if seconds
        else None
    )
