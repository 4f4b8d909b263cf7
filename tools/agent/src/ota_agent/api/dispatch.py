# SPDX-License-Identifier: Apache-2.0
"""Checks who sends a request, has it carried out, and gives the line that answers it."""

import logging
import os
import time
from typing import Any

from ota_agent.api.calls import Call
from ota_agent.api.messages import ASKER, Wrong, error_line, parse_request, result_line
from ota_agent.api.peer import Peer
from ota_agent.api.status import LiveStatus
from ota_agent.errors import AgentError, Busy

logger = logging.getLogger(__name__)


def answer(line: bytes, peer: Peer, live: LiveStatus, *targets: object) -> bytes:
    """Carry out the request in a line; gives the line that answers it.

    Args:
        targets: the first that has the call's method carries it out.
    """
    try:
        call, arguments = parse_request(line)
        asker = _asker(arguments, peer)
        if call.who == "root" and not peer.is_root:
            raise Wrong("refused", f"{call.name}: only root may do that")
        is_guest = asker not in (0, os.geteuid())
        if is_guest and not call.is_reading:
            _require_quota(peer)
        result = _carry_out(call, arguments, peer, live, targets, is_guest=is_guest)
    except Wrong as error:
        return error_line(error.kind, str(error))
    except Busy as error:
        return error_line("busy", str(error))
    except AgentError as error:
        return error_line("impossible", str(error))
    except Exception:
        logger.exception("the device API has failed to carry out a request")
        return error_line("bug", "internal error (please report); the agent's log has more")
    if not call.is_reading:
        logger.info("asked by user %d: %s", asker, call.name)
    return result_line(result)


def _asker(arguments: dict[str, Any], peer: Peer) -> int:
    """The user who has connected, or whom root asks for, as the bridge to D-Bus does.

    Raises:
        Wrong: the peer may not ask for others.
    """
    asker = int(arguments.pop(ASKER, peer.uid))
    if asker != peer.uid and not peer.is_root:
        raise Wrong("refused", "only root may ask for another user")
    return asker


def _require_quota(peer: Peer) -> None:
    """Take one change out of the budget of users other than root.

    Raises:
        Busy: they have changed too much of late.
    """
    if wait := peer.quota.take(time.monotonic()):
        raise Busy(f"too many changes by users other than root; try again in {wait:.0f} s")


def _carry_out(
    call: Call,
    arguments: dict[str, Any],
    peer: Peer,
    live: LiveStatus,
    targets: tuple[object, ...],
    *,
    is_guest: bool,
) -> object:
    match call.name:
        case "status":
            return live.get().to_json()
        case "watch":
            peer.watched, peer.told = -1, -1e9
            return {}
    name = (is_guest and call.guest) or call.method or call.name
    for target in targets:
        if method := getattr(target, name, None):
            return method(**arguments) or {}
    raise Busy("another ota-agent command is running; try again when it has finished")
