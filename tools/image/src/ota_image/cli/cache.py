# SPDX-License-Identifier: Apache-2.0
"""`cache`: show or empty the cache."""

import argparse
import json

from ota_image.cache import cache_folder, empty_cache, kept

_EXAMPLE = """\
examples:
  ota-image cache
  ota-image cache --empty
"""
_KINDS = {
    "apt": "lists of packages",
    "firmware": "files of firmware packages",
    "installed": "package trees that mmdebstrap installed",
    "kernel": "kernels and their modules",
    "packages": "downloaded packages",
    "slots": "root filesystems",
    "source": "unpacked source packages",
    "u-boot": "compiled U-Boot",
    "wheels": "the agent, packed",
}


def add_parser(sub: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `cache`."""
    parser = sub.add_parser(
        "cache",
        help="show or empty the cache",
        description="Shows what commands, tests and benches have downloaded and built once, and how"
        " much room it takes. It is in $XDG_CACHE_HOME/ota-kit, or ~/.cache/ota-kit. What was"
        " removed from it is downloaded or built again when it is needed.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("--empty", action="store_true", help="remove everything in it")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def _run(args: argparse.Namespace) -> int:
    found = kept()
    size = sum(each.size for each in found)
    if args.empty:
        empty_cache()
    if args.json:
        kinds = [{"kind": each.kind, "entries": each.entries, "size": each.size} for each in found]
        said = {"folder": str(cache_folder()), "emptied": args.empty, "size": size, "kinds": kinds}
        print(json.dumps(said, indent=1))
        return 0
    width = max((len(each.kind) for each in found), default=0)
    for each in found:
        line = f"{each.kind:<{width}}{each.entries:>6}{_megabytes(each.size):>12}"
        print(f"{line}  {_KINDS.get(each.kind, '')}".rstrip())
    what = "emptied of" if args.empty else "has"
    print(f"{cache_folder()}: {what} {_megabytes(size)}")
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
