# SPDX-License-Identifier: Apache-2.0
"""What a request is answered, once it is clear that the caller may send it."""

import logging

from ota_agent.api import Commands
from ota_agent.api.messages import (
    SHAPES,
    Request,
    Wrong,
    error_line,
    parse_request,
    result_line,
)
from ota_agent.api.peer import Peer
from ota_agent.api.status import Bulletin
from ota_agent.errors import AgentError, Busy
from ota_agent.lifecycle.step import Unexpected

logger = logging.getLogger(__name__)


def answer(line: bytes, peer: Peer, bulletin: Bulletin, commands: Commands) -> bytes:
    """Carry out the request in a line; gives the line that answers it."""
    try:
        request = parse_request(line)
        if SHAPES[request.call].who == "root" and not peer.is_root:
            raise Wrong("refused", f"{request.call}: only root may do that")
        if request.call == "watch":
            peer.watched, peer.told = -1, -1e9
        result = carry_out(request, bulletin, commands)
    except Wrong as error:
        return error_line(error.kind, str(error))
    except Busy as error:
        return error_line("busy", str(error))
    except (AgentError, Unexpected) as error:
        return error_line("impossible", str(error))
    except Exception:
        logger.exception("the device API has failed at a request")
        return error_line("bug", "the agent has failed at this; see its log")
    if request.call not in ("status", "watch", "token"):
        logger.info("asked by user %d: %s", peer.uid, request.call)
    return result_line(result)


def carry_out(request: Request, bulletin: Bulletin, commands: Commands) -> object:
    """Do what a request says; gives its result.

    Raises:
        AgentError: it cannot be done now.
    """
    given = request.arguments
    match request.call:
        case "status":
            return bulletin.get().to_json()
        case "install":
            commands.install(given["source"])
        case "commit":
            commands.commit()
        case "rollback":
            commands.rollback(given["reason"])
        case "resume":
            commands.resume()
        case "check_update":
            commands.check_update()
        case "send_inventory":
            commands.send_inventory()
        case "pause":
            commands.pause(given["before"])
        case "continue":
            commands.go_on()
        case "abort":
            commands.abort(given["reason"])
        case "set_control_map":
            return {"refresh": commands.set_control_map(given["map"])}
        case "set_enabled":
            commands.set_enabled(given["enabled"])
        case "set_window":
            commands.set_window(given["window"])
        case "token":
            token, url = commands.token()
            return {"token": token, "server": url}
        case "fetch_token":
            return {"is_fetching": commands.fetch_token()}
    return {}
