# SPDX-License-Identifier: Apache-2.0
"""`resume`: go on with an update that was interrupted or stopped."""

import argparse

from ota_agent.cli.by_hand import add_options, carry_out
from ota_agent.cli.options import Help


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `resume`."""
    parser = sub.add_parser(
        "resume",
        help="go on with an update that was interrupted or stopped",
        description="Goes on with the update where a power cut, a killed agent or --stop-before"
        " interrupted it.",
        epilog="example:\n  ota-agent resume",
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_options(parser)


def _run(args: argparse.Namespace) -> int:
    return carry_out(args, "resume")
