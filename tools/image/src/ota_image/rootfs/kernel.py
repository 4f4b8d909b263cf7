# SPDX-License-Identifier: Apache-2.0
"""Adds the kernel, initrd, device trees and modules of a slot, from Debian's kernel package.

The bootloader reads them from the slot's /boot, so they roll back with the slot.
"""

import re
import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from ota_artifact.run import run
from ota_board import grub
from ota_board.board import Board
from ota_board.entry import EXTLINUX, extlinux
from ota_image.cache import make_once
from ota_image.errors import ImageError
from ota_image.packages.apt import Package
from ota_image.packages.deb import verify_file
from ota_image.progress import Say
from ota_image.rootfs.board_modules import choose_modules, drivers_in, run_depmod, trees_of
from ota_image.rootfs.initrd import gzipped, initrd
from ota_image.rootfs.modules import LISTS, Modules
from ota_image.rootfs.tree import Tree

_BUSYBOX = "/bin/busybox"


def add_kernel(
    tree: Tree,
    board: Board,
    packages: Sequence[Package],
    *,
    modules: Sequence[str],
    workplace: Path,
    say: Say,
) -> Package:
    """Put a board's kernel and all that goes with it into the tree; gives the kernel's package.

    Args:
        packages: the one that the board names and, if that has no files, the one it depends on.
        modules: to add to the board's own; those that the kernel lacks are skipped.
        workplace: an empty folder, which the caller owns.

    Raises:
        ImageError: there are two kernels, or the kernel lacks a driver or a device tree of the
            board.
        ProgramError: dpkg-deb, gzip or depmod is missing, or fails.
    """
    package = _with_files(board.kernel.package, packages)
    folder = _unpack(package, say)
    version = _version(folder, package)
    tree.add_file(grub.KERNEL, _image(folder, version, package, board, say))
    paths = _device_trees(folder, version, board)
    for name, path in paths.items():
        tree.add_file(f"/boot/dtbs/{name}", path)
    known = Modules(_modules_folder(folder) / version)
    plain = _plain(folder, version)
    drivers = drivers_in(package, version, known.folder, plain if paths else None)
    chosen = choose_modules(board, known, drivers, trees_of(paths), modules, say)
    busybox = tree.get(_BUSYBOX)
    if busybox is None or busybox.content is None:
        raise ImageError("the initrd needs busybox-static; add it to the recipe's packages")
    early = known.needed(chosen.initrd)
    tree.add_file(grub.INITRD, initrd(busybox.content.read_bytes(), early, board.watchdog))
    _add_modules(tree, known, chosen.slot, workplace)
    _add_entry(tree, board)
    return package


def _with_files(name: str, packages: Sequence[Package]) -> Package:
    """The package that has the kernel's files: what the named one depends on, or that one itself.

    Source: Debian Policy, 7.1 (the syntax of dependencies).
    """
    others = [each for each in packages if each.name != name]
    if not others:
        return packages[0]
    named = next((each for each in packages if each.name == name), None)
    if len(others) > 1 or named is None:
        shown = ", ".join(f"{each.name} {each.version}" for each in others)
        raise ImageError(f"{name}: one kernel must go with it, and there are {shown}")
    depends = run(("dpkg-deb", "-f", verify_file(named), "Depends"), timeout=60).decode()
    if others[0].name not in re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", depends):
        raise ImageError(
            f"{name} {named.version}: depends on {depends.strip()}, and the kernel is"
            f" {others[0].name} {others[0].version}; run --update-lock"
        )
    return others[0]


def _add_entry(tree: Tree, board: Board) -> None:
    match board.bootloader.kind:
        case "u-boot":
            tree.add_file(EXTLINUX, extlinux(board))
        case "grub":
            tree.add_file(grub.ENTRY, grub.entry(board))


def _unpack(package: Package, say: Say) -> Path:
    """Unpack a kernel package into the cache: it is large, and most builds share it."""
    with make_once(f"kernel/{package.sha256[:16]}") as (folder, workplace):
        if workplace:
            say(f"unpacking {package.name} {package.version}")
            argv = ("dpkg-deb", "-x", verify_file(package), workplace)
            run(argv, timeout=600, environment={"LC_ALL": "C.UTF-8"})
    return folder


def _modules_folder(folder: Path) -> Path:
    return next(
        (path for path in (folder / "usr/lib/modules", folder / "lib/modules") if path.is_dir()),
        folder / "lib/modules",
    )


def _version(folder: Path, package: Package) -> str:
    modules = _modules_folder(folder)
    versions = sorted(path.name for path in modules.iterdir()) if modules.is_dir() else []
    if len(versions) != 1:
        raise ImageError(
            f"{package.name} {package.version}: must have modules of one kernel, and has"
            f" {', '.join(versions) or 'none'}"
        )
    if not _plain(folder, versions[0]).is_file():
        raise ImageError(
            f"{package.name} {package.version}: has modules of {versions[0]}, and no"
            f" /boot/vmlinuz-{versions[0]}"
        )
    return versions[0]


def _image(folder: Path, version: str, package: Package, board: Board, say: Say) -> Path:
    plain = _plain(folder, version)
    if board.kernel.format == "plain":
        return plain
    with make_once(f"kernel/{package.sha256[:16]}-gzip") as (packed, workplace):
        if workplace:
            say(f"compressing kernel {version}")
            (workplace / "vmlinuz").write_bytes(gzipped(plain.read_bytes()))
    return packed / "vmlinuz"


def _plain(folder: Path, version: str) -> Path:
    return folder / "boot" / f"vmlinuz-{version}"


def _device_trees(folder: Path, version: str, board: Board) -> dict[str, Path]:
    """The board's device trees by name; the package has them in folders by vendor."""
    base = folder / "usr" / "lib" / f"linux-image-{version}"
    found: dict[str, Path] = {}
    for name in board.device_trees:
        paths = sorted(base.rglob(Path(name).name)) if base.is_dir() else []
        if not paths:
            known = sorted({path.name for path in base.rglob("*.dtb")})
            like = get_close_matches(Path(name).name, known, n=5)
            hint = f"; similar names are {', '.join(like)}" if like else ""
            raise ImageError(
                f"boards/{board.name}/board.yaml: device_trees: kernel {version} has no"
                f" {name}{hint}"
            )
        found[name] = paths[0]
    return found


def _add_modules(tree: Tree, known: Modules, names: Sequence[str], workplace: Path) -> None:
    """Add the modules with these names, and the lists by which modprobe finds them."""
    version = known.folder.name
    target = workplace / "lib" / "modules" / version
    target.mkdir(parents=True)
    for module in known.needed(names):
        place = target / module.path.relative_to(known.folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module.path, place)
    for name in LISTS:
        if (known.folder / name).exists():
            shutil.copyfile(known.folder / name, target / name)
    run_depmod(workplace, version)
    for path in sorted(target.rglob("*")):
        if path.is_file():
            tree.add_file(f"/lib/modules/{version}/{path.relative_to(target)}", path)
