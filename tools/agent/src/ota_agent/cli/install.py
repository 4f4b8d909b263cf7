# SPDX-License-Identifier: Apache-2.0
"""`install`: write an artifact onto this device; the next boot tries it."""

import argparse
from pathlib import Path

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
from ota_agent.errors import AgentError

_EXAMPLE = """\
examples:
  ota-agent install https://updates.example.com/v2.mender
  ota-agent install /media/usb/v2.mender && reboot
  ssh build cat v2.mender | ota-agent install -

An install that was interrupted goes on when it is called again, or with `ota-agent resume`.
"""


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `install`."""
    parser = sub.add_parser(
        "install",
        help="install an artifact; the next boot tries it",
        description="Streams an artifact into the passive slot, or to its update module, and has"
        " the bootloader try it at the next boot.",
        epilog=_EXAMPLE,
        formatter_class=Help,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("artifact", help="a URL, a file, or - for stdin")
    add_reboot_exit_code(parser)
    add_stop_before(parser)
    add_common(parser)


def _run(args: argparse.Namespace) -> int:
    settings = load_settings(args.config)
    source = source_of(args.artifact)
    try:
        with being_the_agent(settings, args) as agent:
            return carried_out(agent, args, lambda: agent.install(source))
    except Taken:
        if source == "-" or args.stop_before:
            raise AgentError(
                "the daemon runs, and can neither read this stdin nor stop in between; give it a"
                " file or a URL, or stop the daemon meanwhile"
            ) from None
        return followed(settings, args, "install", source=source)


def source_of(word: str) -> str:
    """The source as it is remembered: an absolute path, since the daemon is elsewhere."""
    if word == "-" or word.startswith(("http://", "https://")):
        return word
    if "://" in word:
        raise AgentError(f"{word}: is neither http:// nor https://, nor a file")
    path = Path(word).absolute()
    if not path.exists():
        raise AgentError(f"{word}: no such file")
    return str(path)
