# SPDX-License-Identifier: Apache-2.0
"""`commit`: keep the update that runs on trial."""

import argparse

from ota_agent.cli.by_hand import add_options, carry_out
from ota_agent.cli.options import Help


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `commit`."""
    parser = sub.add_parser(
        "commit",
        help="keep the update that runs on trial",
        description="Keeps the update: the bootloader starts it from now on. Runs the health checks"
        " first, unless they have passed already.",
        epilog="examples:\n  ota-agent commit\n  ota-agent commit || ota-agent rollback",
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_options(parser)


def _run(args: argparse.Namespace) -> int:
    return carry_out(args, "commit")
