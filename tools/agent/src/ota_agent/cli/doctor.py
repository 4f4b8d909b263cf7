# SPDX-License-Identifier: Apache-2.0
"""`doctor`: what is wrong with this device."""

import argparse
import json
from dataclasses import asdict

from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import add_json, command, settings_of
from ota_agent.doctor.examine import examine
from ota_agent.errors import AgentError
from ota_artifact.finding import Finding, fault


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--online",
        action="store_true",
        help="also ask the server whether it accepts this device, whose key is made if there is"
        " none",
    )
    add_json(parser)


@command(
    help="find what is wrong with this device",
    description="Looks for every hazard that a device can show before an update meets it, and"
    " says the cause and the remedy of each. It changes nothing, and needs to be root. Exit"
    " code 0: no error, though there may be warnings; 1: errors.",
    examples=(
        "ota-agent doctor",
        "ota-agent doctor --online",
        "ota-agent doctor --json | jq -r '.findings[] | select(.severity == \"error\") | .hazard'",
    ),
    options=_add_options,
)
def doctor(args: argparse.Namespace) -> int:
    try:
        found = examine(settings_of(args), is_online=args.online)
    except AgentError as error:  # nothing else can be told without it
        found = [
            fault(
                "configuration-wrong",
                args.config,
                str(error),
                "correct it; the agent does not start with it",
            )
        ]
    if args.json:
        print(json.dumps({"findings": [asdict(each) for each in found]}, indent=1))
    else:
        for each in found:
            print(each)
        print(_count(found))
    return Exit.FAILED if any(each.severity == "error" for each in found) else Exit.DONE


def _count(found: list[Finding]) -> str:
    errors = sum(each.severity == "error" for each in found)
    if not found:
        return "no hazard found"
    return f"{_of(errors, 'error')}, {_of(len(found) - errors, 'warning')}"


def _of(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
