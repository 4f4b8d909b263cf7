# SPDX-License-Identifier: Apache-2.0
"""`flash`: write a disk image to a card."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from ota_artifact.hold import hold
from ota_artifact.image.roles import RULE
from ota_artifact.size import format_size
from ota_artifact.terminal import steer
from ota_image.errors import ImageError, WorldError

_EXAMPLE = """\
examples:
  ota-image flash my.sdimg /dev/sdb
  ota-image flash my.sdimg /dev/mmcblk1 --yes
"""
_STEP = 5  # [%] between two lines


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `flash`."""
    parser = sub.add_parser(
        "flash",
        help="write a disk image to a card",
        description="Writes an image to a whole disk and reads it back; with a block map FILE.bmap,"
        " only the blocks in use. Refuses a partition, a disk that is mounted, in use or too small,"
        " an eMMC, and an image whose partition table or layout.json is damaged; warns of an image"
        " without slots. Asks before it writes. A card of this machine needs root:"
        f" sudo $(command -v ota-image) flash FILE DEVICE. {RULE}",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", help="a disk image")
    parser.add_argument("device", help="the disk, such as /dev/sdb")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--emmc",
        action="store_true",
        help="write to an eMMC too: the image is of a board that boots from it",
    )


def _run(args: argparse.Namespace) -> int:
    # Late: each command pays only for what it uses, at every start.
    from ota_image.disk.image import open_disk
    from ota_image.flash.check import require_asked_for_emmc, require_same_sectors, warnings_of
    from ota_image.flash.device import find_device
    from ota_image.flash.write import flash, map_of

    image = Path(args.file)
    disk = open_disk(image)
    for warning in warnings_of(disk):
        print(f"flash: {warning}", file=sys.stderr)
    block_map = map_of(image)
    device = find_device(Path(args.device), block_map.size)
    require_asked_for_emmc(disk, device, is_asked=args.emmc)
    require_same_sectors(disk, device)
    if not os.access(device.path, os.R_OK | os.W_OK, effective_ids=True):
        raise WorldError(f"{device.path}: needs root; run: {_as_root(args)}")
    what = f"{device.path} ({device.model or 'no name'}, {format_size(device.size)})"
    if not device.is_removable:
        print(f"flash: {what} is not a removable disk", file=sys.stderr)
    if not args.yes and not _confirm(what):
        raise ImageError(f"{device.path}: not written")
    descriptor = os.open(device.path, os.O_RDWR | os.O_EXCL)  # fails if something uses it by now
    try:
        with hold(image, remedy="wait until it has ended", is_shared=True):
            flash(image, block_map, descriptor, progress=_Shown(sys.stderr.isatty()).show)
    finally:
        os.close(descriptor)
    print(f"{device.path}: {block_map.mapped} B written and verified; you can take it out")
    return 0


def _confirm(what: str) -> bool:
    if not sys.stdin.isatty():
        raise ImageError(f"{what}: cannot ask without a terminal; give --yes to erase it")
    print(f"flash: erase everything on {what}? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _as_root(args: argparse.Namespace) -> str:
    """The command line for root, whose PATH does not have the virtual environment."""
    command = Path(sys.executable).with_name("ota-image")
    name = str(command) if command.exists() else "ota-image"
    options = [f"--{each}" for each in ("yes", "emmc") if getattr(args, each)]
    return shlex.join(("sudo", name, "flash", *options, "--", args.file, args.device))


class _Shown:
    """Shows each step of progress once: on a terminal in one line, otherwise line by line."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._last = ("", -1)

    def show(self, what: str, done: int, total: int) -> None:
        step = ("flash: " + what, done * 100 // max(total, 1) // _STEP * _STEP)
        if step == self._last:
            return
        self._last = step
        if self._is_terminal:
            steer(sys.stderr, "\r")
        end = "" if self._is_terminal and step[1] < 100 else "\n"
        print(f"{step[0]}: {step[1]} %", end=end, file=sys.stderr, flush=True)
