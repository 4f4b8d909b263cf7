# SPDX-License-Identifier: Apache-2.0
"""Results of the Yocto layer's tests, for each machine and release, with their durations.

A result is stored for the content of the layer and the commits of the checkouts: a run that was
stopped continues where it was, and after a change the tests run again.

python -m tests.yocto.runs
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import cache_folder, key_of
from tests.house.tree import ROOT, files
from tests.yocto.bitbake import MACHINES, OE_ROOT, RELEASES

STEPS = ("parsed", "dry-run", "ran", "U-Boot compiled", "booted")
"""What tests can show, each more than the one before, in the words of the page."""

_REPOSITORIES = (
    "bitbake",
    "meta-openembedded",
    "meta-raspberrypi",
    "meta-yocto",
    "openembedded-core",
)
_METADATA = (
    *(".bb", ".bbappend", ".bbclass", ".conf", ".inc", ".json", ".patch"),
    *(".cfg", ".env", ".yaml", ".yml"),
)
_ALL = ("boards", "bootloader", "images", "meta-ota", "tests/yocto/meta-selftest", "tools")
_LAYER = ("boards", "meta-ota")


@dataclass(frozen=True, slots=True)
class Shown:
    """One result."""

    board: str
    release: str
    step: str


def keep(shown: Shown, seconds: float, *, begun: str) -> None:
    """Store it with its duration [s], unless the tree has changed meanwhile.

    Args:
        begun: the content of the tree when the run began.

    Raises:
        ValueError: there is no such step.
        OSError: the cache cannot be written.
    """
    path = _here(shown)
    if content(shown.step) != begun:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps({"seconds": round(seconds, 1)}))
    new.replace(path)


def kept(shown: Shown) -> float | None:
    """The duration [s] of a result for the current tree; None if there is none."""
    return _time(_here(shown))


def table() -> str:
    """All results for the current tree, as a table in Markdown, times in seconds."""
    lines = [f"| machine | release | {' | '.join(STEPS)} |", f"|{'---|' * (len(STEPS) + 2)}"]
    contents = {step: content(step) for step in STEPS}
    for board, machine in MACHINES.items():
        for release in RELEASES:
            commits = _commits(release)
            shown = (Shown(board, release, step) for step in STEPS)
            cells = [_cell(_time(_file(each, contents[each.step], commits))) for each in shown]
            lines.append(f"| {machine} | {release} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(seconds: float | None) -> str:
    return "not run" if seconds is None else f"yes, {seconds:.0f} s"


def _time(path: Path) -> float | None:
    if not path.is_file():
        return None
    seconds: float = json.loads(path.read_text())["seconds"]
    return seconds


def _file(shown: Shown, content: str, commits: str) -> Path:
    key = key_of(shown.board, content, commits)
    name = f"{shown.release}-{shown.board}-{shown.step.replace(' ', '-')}-{key}.json"
    return cache_folder() / "yocto-runs" / name


def _here(shown: Shown) -> Path:
    if shown.step not in STEPS:
        raise ValueError(f"{shown.step}: is not one of {', '.join(STEPS)}")
    return _file(shown, content(shown.step), _commits(shown.release))


def content(step: str) -> str:
    """The content of the tree: a key of the files that the result of a step follows from."""
    metadata_alone = step in ("parsed", "dry-run")
    folders = tuple(f"{folder}/" for folder in (_LAYER if metadata_alone else _ALL))
    found: list[str | bytes] = [step]
    for path in files(root=ROOT):
        name = path.relative_to(ROOT).as_posix()
        matters = path.suffix in _METADATA if metadata_alone else path.suffix != ".md"
        if matters and name.startswith(folders):
            found += [name, path.read_bytes()]
    return key_of(*found)


def _commits(release: str) -> str:
    """A key of the checkouts of a release, which another user may own."""
    found = []
    for name in _REPOSITORIES:
        checkout = OE_ROOT / release / name
        git = ("git", "-c", "safe.directory=*", "-C", str(checkout), "rev-parse", "HEAD")
        found.append(run(git, timeout=30) if checkout.is_dir() else b"")
    return key_of(*found)


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
