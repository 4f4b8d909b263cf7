# SPDX-License-Identifier: Apache-2.0
r"""Tries the tree on other hosts: makes each in a folder, runs it there, fills README's table.

    sudo .venv/bin/python -m tests.hosts debian-12 debian-13
    sudo .venv/bin/python -m tests.hosts debian-12 --user sudo plain --do demo
    sudo OTA_MIRROR=http://HOST/debian .venv/bin/python -m tests.hosts ubuntu-24.04 \
        --mirror http://HOST/ubuntu --keyring FILE

It clones what is committed. It needs root, mmdebstrap and some 15 GB for each host; nothing of it
is left on the machine but its folder, which --remove removes, too. Logs are in that folder.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_image.cache import cache_folder
from tests.hosts.host import HOSTS, USERS, Machine, archives, make
from tests.hosts.table import CHECKS, README, Cell, cell_of, filled


def main() -> int:
    """Try what the command line asks for; gives 1 if a check failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hosts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("host", nargs="+", choices=HOSTS, metavar="HOST", help=" ".join(HOSTS))
    parser.add_argument("--user", nargs="+", choices=USERS, default=["sudo", "plain"])
    parser.add_argument("--do", nargs="+", choices=CHECKS, default=["demo", "check"])
    parser.add_argument(
        "--mirror", help="the host's archive (default: those of Debian that apt has here)"
    )
    parser.add_argument("--keyring", type=Path, help="of that archive, if apt does not have it")
    parser.add_argument("--folder", type=Path, default=cache_folder().parent / "ota-kit-hosts")
    parser.add_argument("--remove", action="store_true", help="remove each host at the end")
    args = parser.parse_args()
    is_good = True
    for key in args.host:
        folder = args.folder / key
        try:
            sources = archives(HOSTS[key], args.mirror)
            machine = make(folder, HOSTS[key], sources, args.keyring)
        except (ProgramError, ValueError) as error:
            print(f"{key}: {error}", file=sys.stderr)
            return 3
        for user in args.user:
            machine.clone(user)
            for check in args.do:
                cell = _try(machine, user, check, args.folder / f"{key}-{user}-{check}.log")
                is_good = is_good and cell.is_good
                text = README.read_text("utf-8")
                README.write_text(filled(text, (HOSTS[key].name, user), check, cell), "utf-8")
                print(f"{HOSTS[key].name}, {USERS[user].title}: {check}: {cell}", flush=True)
        if args.remove:
            shutil.rmtree(folder)
    return 0 if is_good else 1


def _try(machine: Machine, user: str, check: str, log: Path) -> Cell:
    begun = time.monotonic()
    code = machine.do(user, CHECKS[check].command, log)
    return cell_of(code, time.monotonic() - begun, time.strftime("%Y-%m-%d"), log.read_text())


if __name__ == "__main__":
    sys.exit(main())
