# SPDX-License-Identifier: Apache-2.0
"""`daemon`: run the agent, from boot to shutdown."""

import argparse

from ota_agent.bootloader.last_resort import give_up_trial
from ota_agent.cli.console import log_to_console
from ota_agent.cli.sub_command import command, settings_of


@command(
    help="run the agent, from boot to shutdown",
    description="Continues with what was under way, asks the server for updates, and serves the"
    " device API. SIGUSR1 has the server asked now, SIGUSR2 has the inventory sent.",
    examples=("ota-agent daemon --log-level debug",),
)
def daemon(args: argparse.Namespace) -> int:
    try:
        log_to_console(args.log_level)
        from ota_agent.config.environment import take_environment
        from ota_agent.engine.daemon import run

        settings = settings_of(args)
        take_environment(settings.device.data)
        return run(settings)
    except BaseException as error:  # a trial ends whatever it is that keeps its agent from running
        is_asked = isinstance(error, KeyboardInterrupt) or _is_clean(error)
        if not is_asked:
            give_up_trial(f"{type(error).__name__}: {error}")
        raise


def _is_clean(error: BaseException) -> bool:
    """Whether it is the end of a program that has done what it had to."""
    return isinstance(error, SystemExit) and not error.code
