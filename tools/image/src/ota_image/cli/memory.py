# SPDX-License-Identifier: Apache-2.0
"""`memory`: how much memory a slot needs to start."""

import argparse
import sys
from pathlib import Path

_EXAMPLE = """\
examples:
  ota-image memory rootfs.ext4 > memory.json
  ota-artifact write rootfs-image --file rootfs.ext4 --meta-data memory.json …
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `memory`."""
    parser = sub.add_parser(
        "memory",
        help="show how much memory a slot needs to start",
        description="Prints, as the meta-data of an artifact, how much memory kernel, device tree"
        " and initrd of a root filesystem need where U-Boot loads them. An agent compares that"
        " with the addresses of its own U-Boot before it writes a byte. `ota-image build` and"
        " meta-ota do it themselves.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("file", help="the image of a root filesystem")


def _run(args: argparse.Namespace) -> int:
    # Late: each command pays only for what it uses, at every start.
    from ota_artifact.memory import meta_data_of
    from ota_image.disk.image import slot_file
    from ota_image.disk.slot import read_slot
    from ota_image.doctor.memory import slot_needs

    needs = slot_needs(read_slot(slot_file(Path(args.file))))
    if needs is None:
        print(f"ota-image: {args.file}: has no kernel that U-Boot would load", file=sys.stderr)
    print(meta_data_of(needs).decode() if needs else "{}")
    return 0
