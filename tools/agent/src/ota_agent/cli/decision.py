# SPDX-License-Identifier: Apache-2.0
"""What `commit` and `rollback` have in common: a person decides."""

import argparse
from typing import Literal

from ota_agent.cli.by_daemon import followed
from ota_agent.cli.options import add_common
from ota_agent.cli.standalone import (
    add_stop_before,
    being_the_agent,
    carried_out,
    check_end,
)
from ota_agent.config.settings import load_settings
from ota_agent.engine.agent import BY_HAND
from ota_agent.engine.owner import Taken
from ota_agent.lifecycle.states import Downloaded, Downloading, Idle, RebootingBack


def add_decision(parser: argparse.ArgumentParser) -> None:
    """Add the options that both have."""
    add_stop_before(parser)
    add_common(parser)


def decided(args: argparse.Namespace, call: Literal["commit", "rollback"], said: str) -> int:
    """Carry the decision out; gives the exit code.

    Raises:
        NothingInProgress: there is nothing to decide.
        Unexpected: it cannot be decided now.
    """
    settings, is_rollback = load_settings(args.config), call == "rollback"
    try:
        with being_the_agent(settings, args) as agent:
            agent.require()

            def decide() -> None:
                if not (is_rollback and isinstance(agent.state, Downloading | Downloaded)):
                    agent.runtime.start()  # after a restart, see what became of it
                if isinstance(agent.state, Idle):
                    return
                try:
                    (agent.roll_back if is_rollback else agent.commit)()
                finally:
                    if is_rollback and isinstance(agent.state, RebootingBack):
                        print(said)
                if isinstance(agent.state, Idle):
                    check_end(agent.bulletin.get(), is_rollback=is_rollback)
                    print(said)

            return carried_out(agent, args, decide, is_rollback=is_rollback)
    except Taken:
        reason = {"reason": BY_HAND} if is_rollback else {}
        return followed(settings, args, call, **reason)
