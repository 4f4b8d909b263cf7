# SPDX-License-Identifier: Apache-2.0
"""Hazards of what starts U-Boot, and of how U-Boot was built beyond its environment."""

import re
from collections.abc import Iterator
from contextlib import suppress

from ota_artifact.finding import Finding, warning
from ota_image.disk.firmware_found import Firmware
from ota_image.doctor.bootloader import default_environment, is_whole
from ota_image.doctor.case import Case
from ota_image.errors import ImageError
from ota_image.hardware.device_tree import LARGEST, MAGIC, read_device_tree

_KERNEL = re.compile(r"^kernel=(\S+)$", re.MULTILINE)
_DEFAULT_KERNELS = ("kernel8.img", "kernel7.img", "kernel.img")
_ANY_KEY = b"Hit any key to stop autoboot"  # Source: U-Boot, common/autoboot.c
_PROMPT = b"Autoboot in %d"  # with AUTOBOOT_KEYED. Source: U-Boot, cmd/Kconfig
_NO_PROMPT = "-2"
_COMMANDS = ("sysboot", "saveenv")
"""Commands of our boot logic that a configuration may leave out."""


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong before the boot logic runs, or keeps it from running."""
    if not case.layout or not case.layout.environment:
        return
    whole = [each for each in case.firmware if is_whole(each)]
    yield from _spl(case)
    yield from _config_txt(case, whole)
    yield from _device_tree(case, whole)
    yield from _missing(case, whole)
    for each in whole:
        yield from _prompt(case, each)
        yield from _commands(case, each)


def _spl(case: Case) -> Iterator[Finding]:
    there = {each.version for each in case.firmware if not each.is_spl}
    for each in case.firmware:
        if each.is_spl and there and each.version not in there:
            yield Finding(
                hazard="spl-of-another-u-boot",
                place=f"U-Boot SPL {each.version} {each.place}",
                cause=f"U-Boot is {', '.join(sorted(there))}: the SPL loads a U-Boot of another"
                " build",
                remedy="write both from one build",
            )


def _config_txt(case: Case, whole: list[Firmware]) -> Iterator[Finding]:
    """Source: Raspberry Pi documentation, config.txt, "kernel"."""
    boot = case.disk.boot
    text = boot.text("/config.txt") if boot else None
    if boot is None or text is None:
        return
    names = _KERNEL.findall(text) or [n for n in _DEFAULT_KERNELS if boot.exists(f"/{n}")]
    starters = {each.place.split()[0].removeprefix("/") for each in whole}
    for name in names or ["a kernel"]:
        if name not in starters:
            yield Finding(
                hazard="firmware-bypasses-u-boot",
                place="boot partition: /config.txt",
                cause=f"the firmware starts {name}, which is not U-Boot: nothing counts trial"
                " boots, and nothing rolls back",
                remedy="name U-Boot there: kernel=u-boot.bin",
            )


def _device_tree(case: Case, whole: list[Firmware]) -> Iterator[Finding]:
    """A Raspberry Pi's firmware passes a device tree on only if there is a file of it."""
    boot = case.disk.boot
    if boot is None or not boot.exists("/config.txt"):
        return
    if any(name.lower().endswith(".dtb") for name in boot.names("/")):
        return
    for each in whole:
        if not _has_tree(each.data):
            yield Finding(
                hazard="u-boot-without-device-tree",
                place=f"U-Boot {each.version} {each.place}",
                cause="it has no device tree, and the firmware finds none on the boot partition to"
                " pass on: U-Boot stops before its first line",
                remedy="add the .dtb files that the firmware asks for to the boot partition, or"
                " build U-Boot with OF_EMBED or OF_SEPARATE",
            )


def _missing(case: Case, whole: list[Firmware]) -> Iterator[Finding]:
    """Files that are looked for by their names, as a ROM or a vendor's firmware does."""
    boot = case.disk.boot
    if boot is None or case.board is None:
        return
    has_tree = bool(whole) and all(_has_tree(each.data) for each in whole)
    for path in (each.path for each in case.board.firmware if each.path):
        if boot.exists(path) or (path.endswith(".dtb") and has_tree):
            continue
        yield Finding(
            hazard="firmware-missing",
            place=f"boot partition: {path}",
            cause=f"what starts {case.board.name} looks for a file of that name, and there are"
            f" {', '.join(boot.names('/')) or 'none'}: the board does not start",
            remedy="put the file there, under that name",
        )


def _has_tree(data: bytes) -> bool:
    """Whether there is a whole device tree somewhere."""
    at = data.find(MAGIC)
    while at >= 0:
        with suppress(ImageError):
            read_device_tree(data[at : at + LARGEST])
            return True
        at = data.find(MAGIC, at + 1)
    return False


def _prompt(case: Case, firmware: Firmware) -> Iterator[Finding]:
    saved = case.state.variables if case.state else {}
    delay = saved.get("bootdelay") or default_environment(firmware.data).get("bootdelay")
    if _ANY_KEY in firmware.data and delay != _NO_PROMPT:
        yield Finding(
            hazard="u-boot-stops-at-any-key",
            place=f"U-Boot {firmware.version} {firmware.place}",
            cause="one character of noise on the console's input makes it wait at a prompt forever",
            remedy="build it with AUTOBOOT_KEYED and a string to stop it, or with BOOTDELAY=-2",
        )
    elif _PROMPT in firmware.data and delay != _NO_PROMPT and not case.is_toy:
        yield warning(
            "bootloader-console-open",
            f"U-Boot {firmware.version} {firmware.place}",
            "anyone at the console can stop it, with a text that is not a secret, and start another"
            " system",
            f"if others reach the console: bootdelay={_NO_PROMPT} in the board's u-boot.env",
        )


def _commands(case: Case, firmware: Firmware) -> Iterator[Finding]:
    variables = default_environment(firmware.data) or (case.state.variables if case.state else {})
    used = {word for value in variables.values() for word in re.split(r"[\s;]+", value)}
    for name in _COMMANDS:
        if name in used and f"{name}\0".encode() not in firmware.data:
            yield Finding(
                hazard="u-boot-without-command",
                place=f"U-Boot {firmware.version} {firmware.place}",
                cause=f"its boot logic runs the command {name}, which it lacks",
                remedy=f"build it with CMD_{name.upper()}",
            )
