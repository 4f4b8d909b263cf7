# SPDX-License-Identifier: Apache-2.0
"""Hazards of how the running kernel was started."""

import os
from collections.abc import Iterator

from ota_agent.doctor.case import Case
from ota_artifact.boot_logic import started_by
from ota_artifact.contract import ARGUMENT
from ota_artifact.finding import Finding, fault, warning


def probe(case: Case) -> Iterator[Finding]:
    """What its arguments and its modules tell."""
    arguments = case.system.text(case.system.proc / "cmdline")
    if "${" in arguments:
        literal = next(word for word in arguments.split() if "${" in word)
        yield fault(
            "firmware-bypasses-u-boot",
            "/proc/cmdline",
            f"it has {literal}, which U-Boot would have replaced: something else started the"
            " kernel, and no update is ever tried",
            "have the firmware start U-Boot; on a Raspberry Pi, kernel= in config.txt",
        )
    if started_by(arguments) == 0:
        yield warning(
            "started-by-another-bootloader",
            "/proc/cmdline",
            f"{ARGUMENT} has no number: a bootloader without this kit's boot logic, or with an old"
            " one, has started the slot, perhaps one on the eMMC; updates that need it are refused",
            "have the board start from the disk that the image was written to, or write the image"
            " to it again",
        )
    modules = case.system.root / "lib" / "modules"
    release = os.uname().release
    if modules.is_dir() and any(modules.iterdir()) and not (modules / release).exists():
        yield warning(
            "kernel-without-modules",
            str(modules / release),
            f"the kernel that runs is {release}, and the slot has modules of others: it was not"
            " loaded from this slot",
            "have the bootloader load the kernel from /boot of the slot, so that it is updated, and"
            " rolls back, with it",
        )
    yield from _unconfined(case)


def _unconfined(case: Case) -> Iterator[Finding]:
    """Whether the process that unpacks can be confined."""
    status = case.system.proc / "self" / "status"
    text = case.system.text(status)
    if text and "\nSeccomp:" not in text:
        yield warning(
            "kernel-without-seccomp",
            str(status),
            "the kernel cannot refuse system calls: the process that unpacks artifacts is confined"
            " by its user and its limits alone",
            "build the kernel with CONFIG_SECCOMP_FILTER",
        )
    try:
        import ctypes  # noqa: F401  (to see whether it is there)
    except ImportError:
        yield warning(
            "python-without-ctypes",
            "Python",
            "it lacks the module ctypes: the process that unpacks artifacts is confined by its user"
            " and its limits alone",
            "install the package with it; with Yocto, python3-ctypes",
        )
