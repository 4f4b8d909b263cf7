# SPDX-License-Identifier: Apache-2.0
"""Chooses the modules of a board's slot and initrd by what its device trees say is there.

A list by hand would go stale with the kernel, which may rename or split a driver. By hand are only
the devices that a bus shows later, such as those on USB and PCI, and what a board does without.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.image.workplace import find_program
from ota_artifact.run import run
from ota_board.board import Board
from ota_image.cache import make_once
from ota_image.errors import ImageError
from ota_image.hardware.device_tree import DeviceTree, read_device_tree
from ota_image.hardware.drivers import Drivers, drivers_of
from ota_image.hardware.kernel_image import unpacked
from ota_image.hardware.slot_drivers import Machine, judge, wanted, wanted_early
from ota_image.packages.apt import Package
from ota_image.progress import Say
from ota_image.rootfs.modules import LISTS, Modules, normal


@dataclass(frozen=True, slots=True)
class BoardModules:
    """The names of modules, without those that they need.

    Attributes:
        slot: in its root filesystem.
        initrd: in the order in which to load them.
    """

    slot: tuple[str, ...]
    initrd: tuple[str, ...]


def choose_modules(
    board: Board,
    known: Modules,
    drivers: Drivers,
    trees: Mapping[str, DeviceTree],
    recipe: Iterable[str],
    say: Say,
) -> BoardModules:
    """The modules of a board, checked against its device trees.

    The watchdog comes first in the initrd: on some boards its driver is also what resets them.

    Args:
        trees: by name.
        recipe: modules that every board gets; those that the kernel lacks are skipped.

    Raises:
        ImageError: the kernel lacks a module that the board names, or the board's description does
            not suit kernel and device trees.
    """
    watchdog = (board.watchdog.driver,) if board.watchdog.driver else ()
    own = (*watchdog, *board.kernel.drivers, *board.kernel.modules)
    for name in own:
        if not known.has(name):
            raise ImageError(
                f"boards/{board.name}/board.yaml: {name!r}: kernel {drivers.version} has no such"
                " module"
            )
    early = (*watchdog, *board.kernel.drivers)
    left_out = frozenset(normal(name) for each in board.kernel.left_out.values() for name in each)
    machine = Machine(
        trees=trees,
        drivers=drivers,
        is_whole=True,
        modules=frozenset(),
        initrd=_all(known, early),
        left_out=left_out,
        storage=board.storage.device,
        consoles=(board.console.device,),
        watchdog=board.watchdog.driver,
    )
    asked = {name: None for tree in trees.values() for name in wanted(tree, drivers)}
    hosts = {name: None for tree in trees.values() for name in wanted_early(machine, tree)}
    chosen = BoardModules(
        slot=(
            *(*own, *hosts, *(name for name in asked if name not in left_out)),
            *(name for name in recipe if known.has(name)),
        ),
        initrd=(*watchdog, *reversed(hosts), *board.kernel.drivers),
    )
    slot, initrd = _all(known, chosen.slot), _all(known, chosen.initrd)
    _check(board, replace(machine, modules=slot, initrd=initrd), say)
    return chosen


def _check(board: Board, machine: Machine, say: Say) -> None:
    judged = judge(machine)
    if judged.findings:
        lines = "\n".join(f"{each.place}: {each.cause}; {each.remedy}" for each in judged.findings)
        raise ImageError(
            f"boards/{board.name}/board.yaml: kernel {machine.drivers.version}: {lines}"
        )
    for note in judged.notes:
        say(f"hardware: not checked: {note}")
    if not machine.trees:
        say(f"hardware: not checked: {board.name} has no device trees of its own")


def _all(known: Modules, names: Iterable[str]) -> frozenset[str]:
    """The modules with these names and those that they need."""
    return frozenset(each.name for each in known.needed(names))


def trees_of(paths: Mapping[str, Path]) -> dict[str, DeviceTree]:
    """Device trees by name.

    Raises:
        ImageError: one is damaged.
        OSError: one cannot be read.
    """
    trees = {}
    for name, path in paths.items():
        try:
            trees[name] = read_device_tree(path.read_bytes())
        except ImageError as error:
            raise ImageError(f"{name}: {error}; use another build of the kernel") from error
    return trees


def drivers_in(package: Package, version: str, modules: Path, kernel: Path | None) -> Drivers:
    """The drivers of a kernel, by all modules of its package.

    Args:
        package: that has it.
        modules: the folder of its modules.
        kernel: its file; None: no device tree asks for drivers, so they need not be read.

    Raises:
        ProgramError: depmod is missing, or fails.
        OSError: no space in the cache.
    """
    if kernel is None:
        return drivers_of(version, aliases="", modules=(), builtin=(), image=b"")
    with make_once(f"kernel/{package.sha256[:16]}-aliases") as (folder, workplace):
        if workplace:
            _index(modules, version, workplace)
    builtin = modules / "modules.builtin"
    return drivers_of(
        version,
        aliases=(folder / "modules.alias").read_text("utf-8", "replace"),
        modules=(str(path.relative_to(modules)) for path in sorted(modules.rglob("*.ko*"))),
        builtin=builtin.read_text("utf-8", "replace").splitlines() if builtin.exists() else (),
        image=unpacked(kernel.read_bytes()),
    )


def _index(modules: Path, version: str, workplace: Path) -> None:
    """Have depmod write the aliases of all modules into the workplace, next to the package."""
    place = workplace / "lib" / "modules" / version
    place.mkdir(parents=True)
    for name in LISTS:
        if (modules / name).exists():
            shutil.copyfile(modules / name, place / name)
    for path in modules.iterdir():
        if path.is_dir():
            (place / path.name).symlink_to(path)
    run_depmod(workplace, version)
    (place / "modules.alias").rename(workplace / "modules.alias")
    shutil.rmtree(workplace / "lib")


def run_depmod(base: Path, version: str) -> None:
    """Have depmod write its lists next to the modules in ``lib/modules/<version>`` of a folder.

    Raises:
        ProgramError: it is missing, or fails.
    """
    settings = base / "depmod.d"
    settings.mkdir()  # empty, or depmod would take this machine's
    depmod = find_program("depmod", package="kmod")
    run((depmod, "-b", base, "-C", settings, version), timeout=120, environment={"LC_ALL": "C"})
    settings.rmdir()
