# SPDX-License-Identifier: Apache-2.0
"""`setup`: say what this device is, and who its server is."""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

from ota_agent.cli.exits import Exit
from ota_agent.cli.questions import asked
from ota_agent.cli.sub_command import command
from ota_agent.config import mender
from ota_agent.config.settings import (
    LOCAL,
    Settings,
    Tables,
    check,
    default_file,
    load_settings,
    over,
    refused_on_data,
    slot_settings,
    tables_of,
)
from ota_agent.config.write import document, save
from ota_agent.doctor.online import authenticate
from ota_agent.doctor.trust import configured
from ota_agent.errors import AgentError, Unauthorized
from ota_agent.trial.health import Policy

PLACES: Mapping[str, tuple[str, str]] = {
    "server": ("server", "urls"),
    "tenant_token": ("server", "tenant_token"),
    "server_certificate": ("tls", "server_certificate"),
    "allow_plain_http": ("tls", "allow_plain_http"),
    "device_type": ("device", "device_type"),
    "key": ("keys", "keys"),
    "policy": ("commit", "policy"),
}
"""Where the value of an option goes: section and key."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", action="append", metavar="URL", help="the server; may be given several times"
    )
    parser.add_argument("--tenant-token", metavar="TEXT", help="tenant that the device belongs to")
    parser.add_argument(
        "--server-certificate",
        metavar="FILE",
        help="trusted in addition to the system's certificates",
    )
    parser.add_argument(
        "--allow-plain-http",
        action="store_true",
        default=None,
        help="talk to a server without TLS; for a bench only",
    )
    parser.add_argument(
        "--device-type", metavar="NAME", help="device type that artifacts must name"
    )
    parser.add_argument(
        "--key",
        action="append",
        metavar="PEM",
        help="public key that artifacts must be signed with; may be given several times",
    )
    parser.add_argument(
        "--policy",
        choices=get_args(Policy),
        help="what to do with a new system while the server is unreachable",
    )
    parser.add_argument(
        "--online", action="store_true", help="ask the server first; makes the device's key"
    )
    parser.add_argument("--yes", "-y", action="store_true", help="ask nothing, even on a terminal")
    parser.add_argument(
        "--print-default",
        action="store_true",
        help="print a configuration with every key as a comment, and do nothing else",
    )


@command(
    help="say what this device is, and who its server is",
    description="Writes the agent's configuration from options and, on a terminal, from the"
    " answers to questions about all others. All other values are kept. It writes no comments; a"
    " file that had some is kept as agent.toml.old. If a value is wrong, nothing is written.",
    examples=(
        "ota-agent setup",
        "ota-agent setup --server https://updates.example.com --key /etc/ota/vendor.pem --online",
        "ota-agent setup --yes --policy grace",
        "ota-agent setup --print-default > agent.toml",
    ),
    options=_add_options,
)
def setup(args: argparse.Namespace) -> int:
    if args.print_default:
        print(default_file(), end="")
        return Exit.DONE
    before = load_settings(args.config)
    said = {name: getattr(args, name) for name in PLACES}
    if sys.stdin.isatty() and not args.yes:
        try:
            said = asked(before, said)
        except EOFError:
            raise AgentError("setup: the answers ended; nothing was written") from None
    elif all(value is None for value in said.values()):
        raise AgentError(
            "setup: there is nothing to change; give options (see --help), or use a terminal"
        )
    changes = changed(before, said)
    if not changes:
        print(f"{args.config}: says all that already")
        return Exit.DONE
    path = place(args.config, before)
    if path != args.config:
        for each in refused_on_data(
            changes, slot_settings(args.config, menders=mender.OF_THE_SLOT)
        ):
            raise AgentError(f"nothing was written: {path}: {each}; the slot's is {args.config}")
    for line in write_changes(path, changes, before, is_online=args.online):
        print(line)
    return Exit.DONE


def changed(before: Settings, said: Mapping[str, object]) -> Tables:
    """The keys that get another value than they have.

    Args:
        said: the values by option; None for what stays.
    """
    found: Tables = {}
    for name, value in said.items():
        section, key = PLACES[name]
        new = tuple(value) if isinstance(value, list) else value
        if new is not None and new != getattr(getattr(before, section), key):
            found.setdefault(section, {})[key] = new
    return found


def write_changes(
    path: Path, changes: Tables, before: Settings, *, is_online: bool
) -> Iterator[str]:
    """Write the changes, once they are found to be right; gives what to tell the user.

    Raises:
        AgentError: they cannot be, and nothing was written.
    """
    try:
        old = tables_of(path)
        check(old, path)
        new = over(old, changes, path)
        check(new, path)
        options = {name: replace(getattr(before, name), **table) for name, table in changes.items()}
        after = replace(before, **options)
        yield from _checked(before, after)
        if is_online:
            yield _accepted(after)
        kept = save(path, document(new), old)
    except OSError as error:
        remedy = "; run as root" if isinstance(error, PermissionError) else ""
        raise AgentError(f"{error.filename or path}: {error.strerror}{remedy}") from error
    yield f"{path}: written" + (f"; the old file is {kept}" if kept else "")
    yield "Now restart the agent, and look with: ota-agent doctor --online"


def place(configuration: Path, settings: Settings) -> Path:
    """The file that is to be written: on /data, if the configuration is in a slot.

    There it counts for both slots, and outlives an update, which replaces the other slot.
    """
    local = settings.device.data / LOCAL
    folder = next(each for each in configuration.absolute().parents if each.exists())
    has_slots = settings.device.layout.exists()
    is_in_slot = has_slots and folder.stat().st_dev == Path("/").stat().st_dev
    return local if local.exists() or is_in_slot else configuration


def _checked(before: Settings, after: Settings) -> Iterator[str]:
    """What to say of what is new; what was wrong before is not this call's to judge.

    Raises:
        AgentError: something of it cannot be.
    """
    known = {*configured(before, time.time())}
    new = [each for each in configured(after, time.time()) if each not in known]
    if errors := [each for each in new if each.severity == "error"]:
        texts = (f"{each.place}: {each.cause}; {each.remedy}" for each in errors)
        raise AgentError(f"nothing was written: {'; '.join(texts)}")
    for each in new:
        yield f"note: {each.place}: {each.cause}"


def _accepted(settings: Settings) -> str:
    """What the server says.

    Raises:
        AgentError: it cannot be reached.
    """
    try:
        return f"{authenticate(settings)}: accepts this device"
    except Unauthorized as error:
        return f"{error}"
    except AgentError as error:
        raise AgentError(f"nothing was written: {error}") from error
