# SPDX-License-Identifier: Apache-2.0
"""Checks who sends a request, has it carried out, and gives the line that answers it."""

import logging
from typing import Any

from ota_agent.api.calls import Call
from ota_agent.api.messages import Wrong, error_line, parse_request, result_line
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
        if call.who == "root" and not peer.is_root:
            raise Wrong("refused", f"{call.name}: only root may do that")
        result = _carry_out(call, arguments, peer, live, targets)
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
        logger.info("asked by user %d: %s", peer.uid, call.name)
    return result_line(result)


def _carry_out(
    call: Call,
    arguments: dict[str, Any],
    peer: Peer,
    live: LiveStatus,
    targets: tuple[object, ...],
) -> object:
    match call.name:
        case "status":
            return live.get().to_json()
        case "watch":
            peer.watched, peer.told = -1, -1e9
            return {}
    for target in targets:
        if method := getattr(target, call.method or call.name, None):
            return method(**arguments) or {}
    raise Busy("another ota-agent command is running; try again when it has finished")
