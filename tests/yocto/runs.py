# SPDX-License-Identifier: Apache-2.0
"""What was shown of the Yocto layer, for each machine and release, and how long it took.

It is kept by the content of the layer and the commits of the checkouts: a run that was stopped goes
on where it was, and what changes is shown anew.

python -m tests.yocto.runs
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import cache_folder, key_of
from tests.house.tree import ROOT, files, place
from tests.yocto.bitbake import MACHINES, OE_ROOT, RELEASES

STEPS = ("parsed", "dry-run", "ran", "U-Boot compiled", "booted")
"""What can be shown, each more than the one before; the words are those of the page."""

_REPOSITORIES = (
    "bitbake",
    "meta-openembedded",
    "meta-raspberrypi",
    "meta-yocto",
    "openembedded-core",
)
_METADATA = (
    *(".bb", ".bbappend", ".bbclass", ".conf", ".inc", ".json", ".patch"),
    *(".cfg", ".env", ".yaml"),
)
_ALL = ("boards", "bootloader", "images", "meta-ota", "tests/yocto/meta-selftest", "tools")
_LAYER = ("boards", "meta-ota")


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing that was shown."""

    board: str
    release: str
    step: str


def keep(shown: Shown, seconds: float) -> None:
    """Remember it, with the time that it took [s].

    Raises:
        OSError: the cache cannot be written.
    """
    path = _file(shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps({"seconds": round(seconds, 1)}))
    new.replace(path)


def kept(shown: Shown) -> float | None:
    """How long it took [s], if it was shown with what is here now."""
    path = _file(shown)
    if not path.is_file():
        return None
    seconds: float = json.loads(path.read_text())["seconds"]
    return seconds


def table() -> str:
    """All that was shown with what is here now, as a table in Markdown, times in seconds."""
    lines = [f"| machine | release | {' | '.join(STEPS)} |", f"|{'---|' * (len(STEPS) + 2)}"]
    for board, machine in MACHINES.items():
        for release in RELEASES:
            cells = [_cell(kept(Shown(board, release, step))) for step in STEPS]
            lines.append(f"| {machine} | {release} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(seconds: float | None) -> str:
    return "not run" if seconds is None else f"yes, {seconds:.0f} s"


def _file(shown: Shown) -> Path:
    if shown.step not in STEPS:
        raise ValueError(f"{shown.step}: is none of {', '.join(STEPS)}")
    key = key_of(shown.board, shown.step, *_inputs(shown))
    name = f"{shown.release}-{shown.board}-{shown.step.replace(' ', '-')}-{key}.json"
    return cache_folder() / "yocto-runs" / name


def _inputs(shown: Shown) -> Iterator[str | bytes]:
    """What the result follows from."""
    for name in _REPOSITORIES:
        yield _commit(OE_ROOT / shown.release / name)
    metadata_alone = shown.step in ("parsed", "dry-run")
    for folder in _LAYER if metadata_alone else _ALL:
        for path in files(root=ROOT / folder):
            if path.suffix in _METADATA or not (metadata_alone or path.suffix == ".md"):
                yield place(path)
                yield path.read_bytes()


def _commit(checkout: Path) -> str:
    """The commit of a checkout, also one that somebody else owns; empty if there is none."""
    if not checkout.is_dir():
        return ""
    git = ("git", "-c", "safe.directory=*", "-C", str(checkout), "rev-parse", "HEAD")
    return run(git, timeout=30).decode().strip()


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
