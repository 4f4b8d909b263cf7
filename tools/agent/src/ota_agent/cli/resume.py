# SPDX-License-Identifier: Apache-2.0
"""`resume`: go on with what was interrupted, or stopped."""

import argparse

from ota_agent.cli.by_daemon import followed
from ota_agent.cli.options import Help, add_common
from ota_agent.cli.standalone import (
    add_reboot_exit_code,
    add_stop_before,
    being_the_agent,
    carried_out,
)
from ota_agent.config.settings import load_settings
from ota_agent.engine.owner import Taken

_EXAMPLE = """\
examples:
  ota-agent resume
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `resume`."""
    parser = sub.add_parser(
        "resume",
        help="go on with an update that was interrupted or stopped",
        description="Goes on with the update where the power, the agent or --stop-before ended it.",
        epilog=_EXAMPLE,
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    add_reboot_exit_code(parser)
    add_stop_before(parser)
    add_common(parser)


def _run(args: argparse.Namespace) -> int:
    settings = load_settings(args.config)
    try:
        with being_the_agent(settings, args) as agent:
            agent.require()
            return carried_out(agent, args, agent.runtime.start)
    except Taken:
        return followed(settings, args, "resume")
