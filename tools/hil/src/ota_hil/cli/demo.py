# SPDX-License-Identifier: Apache-2.0
"""`demo`: the whole product once, on the terminal."""

import argparse
from pathlib import Path

from ota_hil.demo.play import play_demo

_EXAMPLE = """\
examples:
  ota-hil demo
  ota-hil demo --output /tmp/demo
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo`."""
    parser = sub.add_parser(
        "demo",
        help="install a good update and one that panics, in QEMU",
        description="Builds the image of qemu-arm64 from Debian packages, boots it through real"
        " U-Boot, installs a good release (trial boot, commit), then one that panics on its trial"
        " boot, so that the bootloader rolls back.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "--output", metavar="DIR", default="build/demo", help="where to build (default: build/demo)"
    )


def _run(args: argparse.Namespace) -> int:
    play_demo(Path(args.output))
    return 0
