# SPDX-License-Identifier: Apache-2.0
"""`rollback`: the update goes."""

import argparse

from ota_agent.cli.decision import add_decision, decided
from ota_agent.cli.options import Help
from ota_agent.cli.standalone import add_reboot_exit_code

_EXAMPLE = """\
examples:
  ota-agent rollback && reboot
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `rollback`."""
    parser = sub.add_parser(
        "rollback",
        help="take back the update that is not committed",
        description="Takes back an update that was installed and not committed. If it runs"
        " already, the next boot starts the old system.",
        epilog=_EXAMPLE,
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_reboot_exit_code(parser)
    add_decision(parser)


def _run(args: argparse.Namespace) -> int:
    return decided(args, "rollback", "Rolled back.")
