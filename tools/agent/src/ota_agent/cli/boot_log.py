# SPDX-License-Identifier: Apache-2.0
"""`boot-log`: what the last trial boots said."""

import argparse
import json
import sys
from contextlib import suppress

from ota_agent.cli.exits import Exit
from ota_agent.cli.sub_command import add_json, command, settings_of
from ota_agent.trial.boot_log import collect


@command(
    help="print what the last trial boots said",
    description="Prints the log of every boot that is kept on /data, the oldest first: the"
    " kernel, init, the agent, and what a dying kernel left. If an update fails, its boots are"
    " part of the deployment's log.",
    examples=("ota-agent boot-log", "ota-agent boot-log --json | jq -r '.lines[]'"),
    options=add_json,
)
def boot_log(args: argparse.Namespace) -> int:
    options = settings_of(args).boot_log
    lines: list[str] = []
    with suppress(FileNotFoundError):
        if any(options.folder.iterdir()):
            lines = collect(options, boots_since=0)
    if args.json:
        print(json.dumps({"lines": lines}))
    else:
        print("".join(f"{line}\n" for line in lines), end="")
    if not lines:
        print(
            f"ota-agent: {options.folder}: holds no boot; those of trials are kept, and with"
            ' record = "always" in [boot_log] of the configuration every one',
            file=sys.stderr,
        )
    return Exit.DONE
