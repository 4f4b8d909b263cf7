# SPDX-License-Identifier: Apache-2.0
"""The command `python -m bench.image.hardware [IMAGE…]`: what each kernel does for each board.

It takes the kernels of the locks, so that they must be in the cache: build an image of each first.
With older images, which have the board's name in theirs, the table also says what they lack.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ota_artifact.memory import regions, room
from ota_board.board import Board
from ota_board.load import all_boards, load_board
from ota_board.u_boot import compiled_environment, default_environment
from ota_image.cache import cache_folder
from ota_image.disk.image import open_disk
from ota_image.hardware.consoles import port_of, stdout
from ota_image.hardware.device_tree import DeviceTree
from ota_image.hardware.drivers import Drivers, module_name
from ota_image.hardware.kernel_image import unpacked
from ota_image.hardware.memory import needs_of
from ota_image.hardware.slot_drivers import devices, wanted
from ota_image.packages.lock import lock_file, read_lock
from ota_image.packages.recipe import load_recipes
from ota_image.rootfs.board_modules import choose_modules, drivers_in, trees_of
from ota_image.rootfs.modules import Modules

_ROOT = Path(__file__).parents[2]
_HEAD = (
    "Board, kernel",
    "Device tree",
    "Nodes",
    "by modules",
    "left out",
    "missing before",
    "missing now",
    "without driver",
    "Console",
    "Kernel",
    "room",
)


def main(images: Sequence[Path]) -> int:
    """Print the table; gives the exit code.

    Args:
        images: older ones, to compare with.
    """
    print("|", " | ".join(_HEAD), "|")
    print("|---" * len(_HEAD) + "|")
    for folder in all_boards([_ROOT / "boards"]):
        board = load_board(folder)
        before = [_modules_in(each) for each in images if f"-{board.name}-" in each.name][:1]
        for recipe in load_recipes(_ROOT / "images" / "minimal.yaml"):
            lock = read_lock(lock_file(recipe, board.arch))
            packages = lock.groups.get(board.kernel.package, ()) if lock else ()
            for package in packages if board.device_trees else ():
                place = cache_folder() / "kernel" / package.sha256[:16]
                for modules in sorted(place.glob("**/lib/modules/*")):
                    kernel = place / "boot" / f"vmlinuz-{modules.name}"
                    drivers = drivers_in(package, modules.name, modules, kernel)
                    paths = {name: _found(place, name) for name in board.device_trees}
                    trees = trees_of(paths)
                    known = Modules(modules)
                    chosen = choose_modules(board, known, drivers, trees, recipe.modules, _ignore)
                    there = [*before, frozenset(each.name for each in known.needed(chosen.slot))]
                    for row in _rows(board, folder, drivers, trees, kernel.read_bytes(), there):
                        print("|", " | ".join(row), "|")
    return 0


def _found(place: Path, name: str) -> Path:
    return next((place / "usr" / "lib").rglob(name))


def _ignore(text: str) -> None:
    """Drop what a build would say."""


def _modules_in(image: Path) -> frozenset[str]:
    """The modules in slot A of an image."""
    slot = open_disk(image).slots[0]
    [version] = slot.names("/lib/modules")
    text = slot.text(f"/lib/modules/{version}/modules.dep") or ""
    return frozenset(module_name(line.partition(":")[0]) for line in text.splitlines())


def _rows(
    board: Board,
    folder: Path,
    drivers: Drivers,
    trees: Mapping[str, DeviceTree],
    kernel: bytes,
    there: Sequence[frozenset[str]],
) -> Iterator[tuple[str, ...]]:
    left_out = {
        each.replace("-", "_") for names in board.kernel.left_out.values() for each in names
    }
    variables = compiled_environment(default_environment(board, folder))
    image = unpacked(kernel)
    needs = needs_of(kernel, image, trees=[100_000], initrd=2 << 20)
    most = room(regions(variables, needs)) or 0
    for name, tree in trees.items():
        nodes = devices(tree)
        asked = set(wanted(tree, drivers))
        by_modules = [each for each in nodes if drivers.modules(each)]
        without = [
            each for each in nodes if not drivers.modules(each) and not drivers.is_builtin(each)
        ]
        uart = stdout(tree)
        port = port_of(uart, drivers) if uart else None
        missing = [str(len(asked - left_out - each)) for each in there]
        console = f"{port.stem}{tree.number(uart, 'serial')}" if uart and port else "?"
        yield (
            f"{board.name}, {drivers.version}",
            name,
            str(len(nodes)),
            f"{len(by_modules)} by {len(asked)}",
            str(len(asked & left_out)),
            *(("-",) if len(missing) == 1 else ()),
            *missing,
            str(len(without)),
            console,
            f"{needs.kernel / (1 << 20):.1f} MiB",
            f"{most / (1 << 20):.0f} MiB",
        )


if __name__ == "__main__":
    sys.exit(main([Path(each) for each in sys.argv[1:]]))
