# SPDX-License-Identifier: Apache-2.0
"""`commit`: the update that runs on trial stays."""

import argparse

from ota_agent.cli.decision import add_decision, decided
from ota_agent.cli.options import Help
from ota_agent.cli.standalone import add_reboot_exit_code

_EXAMPLE = """\
examples:
  ota-agent commit
  ota-agent commit || ota-agent rollback
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `commit`."""
    parser = sub.add_parser(
        "commit",
        help="keep the update that runs on trial",
        description="Keeps the update: the bootloader starts it from now on. Its health checks are"
        " run first, if they have not been yet.",
        epilog=_EXAMPLE,
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_reboot_exit_code(parser)
    add_decision(parser)


def _run(args: argparse.Namespace) -> int:
    return decided(args, "commit", "Committed.")
