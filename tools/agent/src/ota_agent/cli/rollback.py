# SPDX-License-Identifier: Apache-2.0
"""`rollback`: go back to the system or files that the update replaced."""

import argparse

from ota_agent.cli.by_hand import add_options, carry_out
from ota_agent.cli.options import Help
from ota_agent.engine.agent import BY_HAND


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `rollback`."""
    parser = sub.add_parser(
        "rollback",
        help="roll back the update that is not committed",
        description="Rolls back an update that was installed and not committed. If it runs"
        " already, the next boot starts the old system.",
        epilog="example:\n  ota-agent rollback && reboot",
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_options(parser)


def _run(args: argparse.Namespace) -> int:
    return carry_out(args, "rollback", reason=BY_HAND)
