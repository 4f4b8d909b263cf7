# SPDX-License-Identifier: Apache-2.0
"""`needs`: what a slot needs of the bootloader."""

import argparse
import sys
from pathlib import Path

_EXAMPLE = """\
examples:
  ota-image needs rootfs.ext4 > needs.json
  ota-artifact write rootfs-image --file rootfs.ext4 --meta-data needs.json …
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `needs`."""
    parser = sub.add_parser(
        "needs",
        help="show what a slot needs of the bootloader",
        description="Prints, as the meta-data of an artifact, which boot logic a root filesystem"
        " needs, and how much memory its kernel, device tree and initrd need where U-Boot loads"
        " them. An agent compares that with its own bootloader before it writes a byte. `ota-image"
        " build` and meta-ota do it themselves.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", help="the image of a root filesystem")


def _run(args: argparse.Namespace) -> int:
    # Late: each command pays only for what it uses, at every start.
    from ota_board.grub import ENTRY
    from ota_image.disk.image import slot_file
    from ota_image.disk.slot import read_slot
    from ota_image.doctor.memory import slot_meta_data

    part = slot_file(Path(args.file))
    found = slot_meta_data(read_slot(part, is_grub=part.text(ENTRY) is not None))
    if not found:
        print(f"ota-image: {args.file}: has no boot entry with a kernel", file=sys.stderr)
    print(found.decode() or "{}")
    return 0
