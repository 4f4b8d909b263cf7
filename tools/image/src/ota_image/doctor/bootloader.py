# SPDX-License-Identifier: Apache-2.0
"""Hazards of the bootloader itself, as far as its binary shows them."""

import re
from collections.abc import Iterable, Iterator, Sequence

from ota_artifact.finding import Finding
from ota_image.disk.firmware_found import Firmware
from ota_image.doctor.case import Case

_LOADS = b"Loading Environment from"
_REDUNDANT = b"recovered successfully"  # Source: U-Boot, env/common.c, env_check_redund
_VARIABLE = re.compile(rb"([A-Za-z0-9_.#-]+)=([^\x00-\x08\x0e-\x1f\x7f]*)")
_BOOTCMD = re.compile(rb"(?<![ -~\s])bootcmd=")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_AFTER_DATA = re.compile(rb"[^ -~\s]([A-Za-z0-9_.#-]+)=")
_LONGEST = 1 << 18  # [B] of a default environment
_LOGIC = ("bootcmd", "altbootcmd")


def probe(case: Case) -> Iterator[Finding]:
    """What is wrong with U-Boot."""
    is_redundant = bool(case.layout and len(case.layout.environment) > 1)
    for each in case.firmware:
        if not is_whole(each):
            continue
        if is_redundant and _REDUNDANT not in each.data:
            yield Finding(
                hazard="u-boot-without-redundancy",
                place=f"U-Boot {each.version} {each.place}",
                cause="it was built for one copy of the environment, and treats our two as damaged",
                remedy="build it with ENV_REDUNDANT, which is SYS_REDUNDAND_ENVIRONMENT before"
                " v2025.10; check the final .config, since an unknown symbol is dropped silently",
            )
        yield from _compiled(case, each)


def is_whole(firmware: Firmware) -> bool:
    """Whether it is a U-Boot whose binary can be read, neither its SPL nor compressed."""
    return not firmware.is_spl and _LOADS in firmware.data


def _compiled(case: Case, firmware: Firmware) -> Iterator[Finding]:
    compiled = default_environment(firmware.data)
    if not compiled:
        return
    place = f"U-Boot {firmware.version} {firmware.place}"
    if not compiled.get("altbootcmd"):
        yield Finding(
            hazard="u-boot-without-altbootcmd",
            place=place,
            cause="its default environment has no altbootcmd: if the environment is lost, it ends"
            " at a prompt instead of rolling back",
            remedy="build it with the board's default environment",
        )
    saved = case.state.variables if case.state else {}
    for name in _LOGIC:
        if saved.get(name) and compiled.get(name) and saved[name] != compiled[name]:
            yield Finding(
                hazard="environment-shadows-u-boot",
                place=place,
                cause=f"the saved environment has another {name} than the compiled one, and"
                " replaces it",
                remedy="compose with the environment of this U-Boot",
            )


def default_environment(data: bytes) -> dict[str, str]:
    """What is compiled into a U-Boot; empty if it cannot be found."""
    bootcmd = _BOOTCMD.search(data)
    if not bootcmd:
        return {}
    at = bootcmd.start()
    before = data[max(at - _LONGEST, 0) : at].split(b"\0")
    after = data[at : at + _LONGEST].split(b"\0")
    lines = [*_variables_before(before), *_variables(after)]
    return {match[1].decode(): match[2].decode("utf-8", "replace") for match in lines}


def _variables(strings: Iterable[bytes]) -> Iterator[re.Match[bytes]]:
    """Those up to the first string that is not a variable."""
    for each in strings:
        match = _VARIABLE.fullmatch(each)
        if match is None:
            return
        yield match


def _variables_before(strings: Sequence[bytes]) -> Iterator[re.Match[bytes]]:
    """Those at the end, where each ends with NUL; the first may follow any data without text."""
    if strings[-1]:
        return  # bootcmd itself is the first
    found = list(_variables(reversed(strings[:-1])))
    yield from found
    rest = strings[: len(strings) - 1 - len(found)]
    first = _last_variable(rest[-1]) if rest else None
    if first:
        yield first


def _last_variable(data: bytes) -> re.Match[bytes] | None:
    """The variable at the end of any data; it takes one pass, whatever the data is."""
    begin = max((match.start() for match in _NO_TEXT.finditer(data)), default=0)
    starts = [match.start(1) for match in _AFTER_DATA.finditer(data, begin)]
    return _VARIABLE.fullmatch(data, starts[-1]) if starts else None
