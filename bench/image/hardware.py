# SPDX-License-Identifier: Apache-2.0
"""The command `python -m bench.image.hardware`: what each kernel does for each board, as a table.

It takes the kernels of the locks, so that they must be in the cache: build an image of each first.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from ota_artifact.memory import regions, room
from ota_board.board import Board
from ota_board.load import all_boards, load_board
from ota_board.u_boot import compiled_environment, default_environment
from ota_image.cache import cache_folder
from ota_image.hardware.consoles import port_of, stdout
from ota_image.hardware.device_tree import DeviceTree
from ota_image.hardware.drivers import Drivers
from ota_image.hardware.kernel_image import unpacked
from ota_image.hardware.memory import needs_of
from ota_image.hardware.slot_drivers import devices, wanted
from ota_image.packages.lock import lock_file, read_lock
from ota_image.packages.recipe import load_recipes
from ota_image.rootfs.board_modules import drivers_in, trees_of

_ROOT = Path(__file__).parents[2]
_HEAD = (
    "Board, kernel",
    "Device tree",
    "Nodes",
    "by modules",
    "left out",
    "without driver",
    "Console",
    "Kernel",
    "room",
)


def main() -> int:
    """Print the table; gives the exit code."""
    print("|", " | ".join(_HEAD), "|")
    print("|---" * len(_HEAD) + "|")
    for folder in all_boards([_ROOT / "boards"]):
        board = load_board(folder)
        for recipe in load_recipes(_ROOT / "images" / "minimal.yaml"):
            lock = read_lock(lock_file(recipe, board.arch))
            packages = lock.groups.get(board.kernel.package, ()) if lock else ()
            for package in packages if board.device_trees else ():
                place = cache_folder() / "kernel" / package.sha256[:16]
                for modules in sorted(place.glob("**/lib/modules/*")):
                    kernel = place / "boot" / f"vmlinuz-{modules.name}"
                    drivers = drivers_in(package, modules.name, modules, kernel)
                    paths = {name: _found(place, name) for name in board.device_trees}
                    for row in _rows(board, folder, drivers, trees_of(paths), kernel.read_bytes()):
                        print("|", " | ".join(row), "|")
    return 0


def _found(place: Path, name: str) -> Path:
    return next((place / "usr" / "lib").rglob(name))


def _rows(
    board: Board, folder: Path, drivers: Drivers, trees: dict[str, DeviceTree], kernel: bytes
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
        console = f"{port.stem}{tree.number(uart, 'serial')}" if uart and port else "?"
        yield (
            f"{board.name}, {drivers.version}",
            name,
            str(len(nodes)),
            f"{len(by_modules)} by {len(asked)}",
            str(len(asked & left_out)),
            str(len(without)),
            console,
            f"{needs.kernel / (1 << 20):.1f} MiB",
            f"{most / (1 << 20):.0f} MiB",
        )


if __name__ == "__main__":
    sys.exit(main())
