# SPDX-License-Identifier: Apache-2.0
"""`daemon`: run the agent, from boot to shutdown."""

import argparse

from ota_agent.bootloader.last_resort import give_up_trial
from ota_agent.cli.console import log_to_console
from ota_agent.cli.sub_command import command, settings_of
from ota_agent.errors import AgentError
from ota_artifact.errors import ArtifactError, ProgramError


@command(
    help="run the agent, from boot to shutdown",
    description="Continues with what was under way, asks the server for updates, and serves the"
    " device API. SIGUSR1 has the server asked now, SIGUSR2 has the inventory sent.",
    examples=("ota-agent daemon --log-level debug",),
)
def daemon(args: argparse.Namespace) -> int:
    log_to_console(args.log_level)
    try:
        from ota_agent.engine.daemon import run

        return run(settings_of(args))
    except (AgentError, ArtifactError, ProgramError, OSError) as error:
        give_up_trial(str(error))
        raise
