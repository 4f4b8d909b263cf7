# SPDX-License-Identifier: Apache-2.0
"""What trial boots said, as the script ``boot-log`` keeps it on /data; for the deployment's log.

A boot has a folder ``<number>-<boot id>`` with the files about, kernel (records of /dev/kmsg),
kernel.old (the same, and older), journal, agent, and pstore/ (what the boot before it left there).
"""

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ota_agent.durable import replace_file
from ota_agent.small_file import read_small

logger = logging.getLogger(__name__)

_FOLDER = re.compile(r"0*([0-9]{1,9})-(.+)")
_RECORD = re.compile(r"([0-9]{1,9}),([0-9]{1,18}),([0-9]{1,18}),[^;]*;(.*)")
"""Priority, number, time [us], text. Source: Linux, Documentation/ABI/testing/dev-kmsg."""
BOOTS = "boots"
"""Of the store: the number of the boot that was kept last before an update was fetched."""
_END = "end"  # of a boot: why it was ended, as the script `deadline` or the agent says
_LIMIT = 4 << 20  # [B] of one file that are read
_LINES = 3000  # of one file that are given; the last ones


@dataclass(frozen=True, slots=True, kw_only=True)
class BootLogOptions:
    """What is kept of boots, so that a trial that died can be understood.

    Attributes:
        record: which boots are kept: those of trials, every one, or none.
        folder: where they are kept; it must outlive an update.
        keep: how many boots are kept.
        size: how much is kept of one boot at most [B].
        pstore: where the kernel shows what a dying one left.
        stop: a file whose presence ends the log of the running boot.
    """

    record: Literal["trial", "always", "never"] = "trial"
    folder: Path = Path("/data/ota/boots")
    keep: int = 5
    size: int = 1 << 20
    pstore: Path = Path("/sys/fs/pstore")
    stop: Path = Path("/run/ota/boot-log.stop")


def newest(options: BootLogOptions) -> int:
    """The number of the boot that was kept last; 0 if none is. To be noted before a trial."""
    return max((number for number, _ in _boots(options)), default=0)


def stop(options: BootLogOptions) -> None:
    """End the log of the running boot: its trial is over."""
    try:
        options.stop.parent.mkdir(parents=True, exist_ok=True)
        options.stop.touch()
    except OSError as error:
        logger.warning("%s: %s; the log of this boot continues", options.stop, error.strerror)


def note_end(options: BootLogOptions, boot_id: Path, why: str) -> None:
    """Leave why the running trial is ended, for the old slot, if that can be."""
    try:
        boot = boot_id.read_text("ascii").strip()
        for _, path in _boots(options):
            if path.name.endswith(f"-{boot}"):
                replace_file(path / _END, (f"{why}\n".encode(),))
    except (OSError, ValueError) as error:
        logger.warning("%s: why the trial ends is not kept: %s", options.folder, error)


def ended(options: BootLogOptions, *, boots_since: int) -> str:
    """Why the last trial was ended, by itself or by the script ``deadline``; empty if it was not.

    Args:
        boots_since: what `newest` gave before the trial.
    """
    lines = [_lines(path / _END) for number, path in _boots(options) if number > boots_since]
    return next((" ".join(each) for each in reversed(lines) if each), "")


def collect(
    options: BootLogOptions, *, boots_since: int, rollback: str = "", is_brief: bool = False
) -> list[str]:
    """What the boots since an update was installed said, or why nothing of them is known.

    Args:
        boots_since: what `newest` gave before the trial.
        rollback: the bootloader's stored reason, such as ``count 3``; empty if it did not go back.
        is_brief: only why they ended, and not what they said.
    """
    lines = [f"the bootloader went back: {rollback}{meaning(rollback)}"] if rollback else []
    boots = [(number, path) for number, path in _boots(options) if number > boots_since]
    for number, path in boots:
        lines += _ends(number, path) if is_brief else _boot(number, path)
    if is_brief:
        return [*lines, "what the trial boot said is not sent: [log] send_journal is false"]
    if not any((path / "kernel").exists() for _, path in boots):
        lines.append(_absence(options, rollback))
    return lines


def _boots(options: BootLogOptions) -> list[tuple[int, Path]]:
    """Numbers and folders of the boots that are kept, the oldest first."""
    try:
        paths = list(options.folder.iterdir())
    except OSError:
        return []
    found = ((_FOLDER.fullmatch(path.name), path) for path in paths)
    return sorted((int(match[1]), path) for match, path in found if match)


def _boot(number: int, path: Path) -> Iterator[str]:
    yield from _ends(number, path)
    about = " ".join(_lines(path / "about")).replace("boot ", "", 1)
    yield f"boot {number}: {about}"
    records: dict[int, str] = {}
    for name in ("kernel.old", "kernel"):
        records.update(_records(path / name))
    yield from _last([text for _, text in sorted(records.items())], "kernel")
    for name in ("journal", "agent"):
        yield from _last([f"{name}: {line}" for line in _lines(path / name)], name)
    with suppress(OSError):
        for dump in sorted((path / "pstore").iterdir()):
            yield f"left by the boot before it, {dump.name}:"
            yield from _last(_lines(dump), dump.name)


def _ends(number: int, path: Path) -> Iterator[str]:
    for why in _lines(path / _END):
        yield f"boot {number} was ended: {why}"


def _records(path: Path) -> Iterator[tuple[int, str]]:
    """The kernel's records by their number, as dmesg shows them."""
    for line in _lines(path):
        if match := _RECORD.fullmatch(line):
            seconds, rest = divmod(int(match[3]), 1_000_000)
            yield int(match[2]), f"[{seconds:5}.{rest:06}] {match[4]}"


def _last(lines: list[str], name: str) -> list[str]:
    left_out = len(lines) - _LINES
    if left_out <= 0:
        return lines
    return [f"{name}: {left_out} lines before these are left out", *lines[-_LINES:]]


def _lines(path: Path) -> list[str]:
    """The lines of a file that may have ended anywhere, or be damaged by a cut."""
    try:
        text = read_small(path, _LIMIT).decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.replace("\0", "").split("\n") if line]


def meaning(rollback: str) -> str:
    """What the bootloader's reason means, to be put behind a sentence; empty if there is none.

    Source: bootloader/u-boot/ota.env.j2, grub/ota.cfg.j2.
    """
    kind, _, partition = rollback.partition(" ")
    match kind:
        case "load":
            return f" (partition {partition} did not load, and no kernel of it was started)"
        case "count":
            return f" (partition {partition} was started on trial, and never committed)"
        case "save":
            return f" (the trial of partition {partition} could not be counted)"
        case "lost":
            return f" (no copy of its environment was valid; partition {partition} was tried)"
        case "odd":
            return f" (its environment made no sense; partition {partition} was started)"
    return ""


def _absence(options: BootLogOptions, rollback: str) -> str:
    """Why there is no log of a trial."""
    if options.record == "never":
        return "no log of the trial boot: [boot_log] record is never"
    if rollback.startswith("load "):
        return "no log of the trial boot: its kernel was not started"
    return (
        "no log of the trial boot: it died before /data was mounted, or it has no boot-log script;"
        f" and {_pstore(options)}"
    )


def _pstore(options: BootLogOptions) -> str:
    if not options.pstore.is_dir():
        return "this kernel has no pstore, where a dying one leaves its last words"
    return "pstore holds nothing: the board keeps no memory over a reboot, or was cut from power"
