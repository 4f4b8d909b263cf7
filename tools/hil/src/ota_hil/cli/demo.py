# SPDX-License-Identifier: Apache-2.0
"""`demo`: the whole product once, on the terminal."""

import argparse
from pathlib import Path

from ota_hil.demo.play import play_demo

_EXAMPLE = """\
examples:
  ota-hil demo
  ota-hil demo --suite bookworm --output /tmp/demo
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
    parser.add_argument(
        "--suite", metavar="NAME", help="the Debian release (default: that of ota-image build)"
    )
    parser.add_argument(
        "--mirror",
        metavar="URL",
        action="append",
        default=[],
        help="a Debian archive, as ota-image build takes it (repeatable)",
    )


def _run(args: argparse.Namespace) -> int:
    options = ["--suite", args.suite] if args.suite else []
    for mirror in args.mirror:
        options += ["--mirror", mirror]
    play_demo(Path(args.output), options)
    return 0
