# SPDX-License-Identifier: Apache-2.0
"""`install`: write an artifact onto this device; the next boot tries it."""

import argparse
from pathlib import Path

from ota_agent.address import Address
from ota_agent.cli.by_hand import add_options, carry_out
from ota_agent.cli.options import Help
from ota_agent.errors import AgentError

_EXAMPLE = """\
examples:
  ota-agent install https://updates.example.com/v2.mender
  ota-agent install /media/usb/v2.mender && reboot
  ssh build cat v2.mender | ota-agent install -

An interrupted install goes on when you call it again, or with `ota-agent resume`.
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
    add_options(parser)


def _run(args: argparse.Namespace) -> int:
    return carry_out(args, "install", source=source_of(args.artifact))


def source_of(word: str) -> str:
    """The source for the daemon, whose working directory differs: a URL, or an absolute path."""
    if word == "-" or word.startswith(("http://", "https://")):
        return word
    if "://" in word:
        raise AgentError(f"{Address(word)}: is not an http:// or https:// URL, nor a file")
    path = Path(word).absolute()
    if not path.exists():
        raise AgentError(f"{Address(word)}: no such file")
    return str(path)
