# SPDX-License-Identifier: Apache-2.0
"""Builds U-Boot for a board, with the board's configuration and environment.

One configuration serves every version: a symbol that was renamed is in it in all its spellings.
U-Boot drops what it does not know, so a line that the final configuration lacks is an error.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_artifact.which import missing as missing_programs
from ota_artifact.which import which
from ota_board.board import Board
from ota_board.u_boot import ENVIRONMENT, default_environment, fragment, missing
from ota_image.cache import key_of, make_once, one_error_if_full, require_whole, tree_digest
from ota_image.errors import ImageError
from ota_image.firmware.packages import U_BOOT
from ota_image.firmware.patches import apply_patches, patches_of
from ota_image.packages.apt import Package
from ota_image.packages.lock import default_recipe
from ota_image.packages.recipe import Recipe
from ota_image.packages.source import locked_source
from ota_image.packages.sources import ANY_SOURCE, Source
from ota_image.progress import Say, run_and_tell

_BUILD_TIME = 1800.0  # [s] for one step, on a slow machine
_TOOLS = ("make", "gcc", "bison", "flex")
_CROSS = {"arm64": "aarch64-linux-gnu-", "armhf": "arm-linux-gnueabihf-", "amd64": ""}
_OUTPUTS = ("u-boot.bin", ".config", ENVIRONMENT)
_IMAGES = (".bin", ".img", ".itb")
_SHOWN = 12  # names in an error
SOURCE_PACKAGE = "u-boot"
_EARLY_PCI = "config SYS_EARLY_PCI_INIT"
_PLAIN = re.compile(r"[A-Za-z0-9_./+@-]+")
"""Paths that make and every shell read as they are written."""
_OTHER_PLACES = (Path("/var/tmp"), Path("/tmp"))  # noqa: S108  (only we use the folder in it)
_RECIPE = "3"  # count it up when the way of building changes


@dataclass(frozen=True, slots=True)
class UBoot:
    """U-Boot as built for one board.

    Attributes:
        folder: has ``u-boot.bin`` and what the board's firmware names, the final ``.config``, and
            ``u-boot.env``, the text of its default environment.
        version: such as ``2023.01``.
        package: the source package that it is from; None for a tree.
    """

    folder: Path
    version: str
    package: Package | None = None

    @property
    def environment(self) -> str:
        """The default environment as text."""
        return (self.folder / ENVIRONMENT).read_text("utf-8")


def u_boot_of(
    board: Board,
    board_folder: Path,
    tree: Path | None,
    say: Say,
    *,
    recipe: Recipe | None = None,
    source: Source = ANY_SOURCE,
) -> UBoot:
    """Build U-Boot for a board from a tree, or from the source package of a suite.

    Args:
        recipe: of the image, whose suite and lock say which source package; by default that of the
            image that is built by default.

    Raises:
        ImageError: the board has no U-Boot, or U-Boot drops a part of the configuration; or the
            lock does not match and has to.
        ProgramError: it cannot be downloaded or compiled.
        WorldError: the source in the cache is damaged.
    """
    if tree:
        return build_u_boot(board, board_folder, tree, say)
    _require_u_boot(board)
    recipe = recipe or default_recipe(board.arch)
    package, unpacked = locked_source(SOURCE_PACKAGE, recipe, board.arch, source, say)
    try:
        built = build_u_boot(board, board_folder, unpacked, say, entry=unpacked.parent)
    except (ImageError, ProgramError):
        require_whole(unpacked.parent)  # it may be our tree that is wrong
        raise
    return replace(built, package=package)


def build_u_boot(
    board: Board, board_folder: Path, source: Path, say: Say, *, entry: Path | None = None
) -> UBoot:
    """Build U-Boot for a board, or take it from the cache.

    Args:
        source: a tree of any version from 2023.01 on; it is copied and not changed; the copy
            gets the board's patches that it needs.
        entry: what the tree is of, if it is in the cache; checked before it is compiled.

    Raises:
        ImageError: the board has no U-Boot, the tree is not U-Boot's, a patch does not fit it, or
            it drops a part of the configuration.
        ProgramError: the compiler is missing, or fails.
        WorldError: the entry is damaged.
        OSError: no space in the cache.
    """
    _require_u_boot(board)
    version = tree_version(source)
    text = default_environment(board, board_folder)
    wanted = fragment(board, Path(ENVIRONMENT), board_folder)
    outputs = tuple(sorted({*_OUTPUTS, *_named(board)}))
    inputs = (board.bootloader.defconfig, text, wanted, tree_digest(source))
    patches = patches_of(board_folder)
    key = key_of(_RECIPE, *inputs, *outputs, *(each.read_bytes() for each in patches))
    # Without the board's name: boards that differ only elsewhere share their U-Boot.
    kind = board.bootloader.defconfig.removesuffix("_defconfig")
    with make_once(f"u-boot/{kind}-{version}-{key}") as (folder, workplace):
        if workplace:
            _require_tools(board, patches)
            if entry:
                require_whole(entry)
            say(f"compiling U-Boot {version} for {board.name}")
            with _plain_folder(workplace) as place, one_error_if_full(place):
                tree = _copy(source, place / "source")
                apply_patches(patches, tree, version)
                _build(board, tree, place, text, wanted, say)
                _keep(board, outputs, place / "build", workplace)
        else:
            say(f"U-Boot {version} for {board.name} is in the cache")
    return UBoot(folder, version)


def _require_u_boot(board: Board) -> None:
    if board.bootloader.kind != "u-boot":
        raise ImageError(f"{board.name}: boots with {board.bootloader.kind}, not with U-Boot")


def tree_version(source: Path) -> str:
    """The version of a source tree of U-Boot.

    Raises:
        ImageError: it is not U-Boot's.
    """
    with suppress(OSError):
        makefile = (source / "Makefile").read_text("utf-8", "replace")[:2000]
        match = re.search(r"^VERSION = (\d+)\nPATCHLEVEL = (\d+)$", makefile, re.MULTILINE)
        if match and (source / "Kconfig").exists():
            return f"{match[1]}.{match[2]}"
    raise ImageError(
        f"{source}: is not a source tree of U-Boot; give the folder that has its Makefile"
    )


@contextmanager
def _plain_folder(workplace: Path) -> Iterator[Path]:
    """A folder to build in: in the workplace, or where make and the shell understand its name."""
    for parent in (workplace, Path(tempfile.gettempdir()), *_OTHER_PLACES):
        if _PLAIN.fullmatch(str(parent)) and os.access(parent, os.W_OK) and not _is_noexec(parent):
            with tempfile.TemporaryDirectory(prefix="ota-u-boot-", dir=parent) as name:
                yield Path(name)
            return
    raise ProgramError(
        f"{workplace.parent}: U-Boot cannot be built in a path with blanks or other special"
        " characters, or without programs; set TMPDIR to a plain path"
    )


def _is_noexec(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_NOEXEC)


def _require_tools(board: Board, patches: Sequence[Path]) -> None:
    """Fail if programs are missing that the build would miss only after a while."""
    wanted = (*_TOOLS, f"{_CROSS[board.arch]}gcc", *(("patch",) if patches else ()))
    if absent := [each for each in wanted if which(each) is None]:
        raise ProgramError(missing_programs(*absent))


def _named(board: Board) -> tuple[str, ...]:
    """The files of U-Boot's build that a board's firmware names."""
    folder = f"{U_BOOT}/"
    sources = (each.source for each in board.firmware if each.source.startswith(folder))
    return tuple(source.removeprefix(folder) for source in sources)


def _keep(board: Board, names: Sequence[str], output: Path, made: Path) -> None:
    """Copy what the board needs of a build, as long as the folder of the build is there."""
    for name in names:
        if not (output / name).is_file():
            like = sorted(
                str(path.relative_to(output))
                for path in output.rglob("*")
                if path.is_file() and (path.suffix in _IMAGES or path.name == "MLO")
            )
            raise ImageError(
                f"{board.name}: firmware.from: U-Boot made no {U_BOOT}/{name}; it made"
                f" {', '.join(like[:_SHOWN]) or 'no image'}"
            )
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(output / name, made / name)


def _copy(source: Path, tree: Path) -> Path:
    return shutil.copytree(source, tree, symlinks=True, ignore=shutil.ignore_patterns(".git"))


def _build(board: Board, tree: Path, place: Path, text: str, wanted: str, say: Say) -> None:
    """Build a tree in the folder ``build`` of a place."""
    output = place / "build"
    output.mkdir()
    (output / ENVIRONMENT).write_text(text, "utf-8")
    _let_pci_come_first(tree)
    let_swig_append(tree)
    fragment_file = place / "ota.cfg"
    here = wanted.replace(f'"{ENVIRONMENT}"', f'"{output}/{ENVIRONMENT}"')
    fragment_file.write_text(here, "utf-8")
    _make(board, tree, output, say, board.bootloader.defconfig)
    merge = ("scripts/kconfig/merge_config.sh", "-m", "-O", str(output), f"{output}/.config")
    # The script must be started in the tree.
    in_tree = ("sh", "-c", 'cd "$0" && exec "$@"', str(tree))
    run((*in_tree, *merge, str(fragment_file)), timeout=60)
    _make(board, tree, output, say, "olddefconfig")
    lost = missing(fragment_file.read_text("utf-8"), (output / ".config").read_text("utf-8"))
    if lost:
        raise ImageError(f"{board.name}: U-Boot's configuration lost {'; '.join(lost)}")
    _make(board, tree, output, say)


def _make(board: Board, tree: Path, output: Path, say: Say, *targets: str) -> None:
    jobs = str(len(os.sched_getaffinity(0)))
    settings = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(Path.home()),
        "TMPDIR": str(tree.parent),
        "LC_ALL": "C",
        "CROSS_COMPILE": _CROSS[board.arch],
        "KBUILD_OUTPUT": str(output),
        "SOURCE_DATE_EPOCH": "0",
        "KBUILD_BUILD_USER": "ota",
        "KBUILD_BUILD_HOST": "ota",
    }
    alone = ("env", "-i", *(f"{name}={value}" for name, value in settings.items()))
    run_and_tell(
        (*alone, "make", f"-j{jobs}", "-C", str(tree), *targets),
        silence=_BUILD_TIME,
        tell=lambda count: f"compiling U-Boot: {count} steps done",
        say=say,
        start=b"  ",  # Source: U-Boot, scripts/Kbuild.include: quiet_cmd_*
    )


def _let_pci_come_first(tree: Path) -> None:
    """Add SYS_EARLY_PCI_INIT to Kconfig: before v2026.01 only the code knows the symbol.

    Source: U-Boot, common/board_r.c, and commit "pci: Add SYS_EARLY_PCI_INIT to Kconfig".
    """
    kconfig = tree / "drivers" / "pci" / "Kconfig"
    text = kconfig.read_text("utf-8")
    if _EARLY_PCI in text + (tree / "common" / "Kconfig").read_text("utf-8"):
        return
    entry = f'{_EARLY_PCI}\n\tbool "Enumerate PCI before the environment is loaded"\n\n'
    kconfig.write_text(text.replace("if PCI\n\n", f"if PCI\n\n{entry}", 1), "utf-8")


def let_swig_append(tree: Path) -> None:
    """Have pylibfdt, which binman needs, compile with SWIG 4.3: before v2025.01 it does not.

    Source: U-Boot, commit "scripts/dtc: pylibfdt: libfdt.i_shipped: Use SWIG_AppendOutput", which
    SWIG has had for long.
    """
    interface = tree / "scripts" / "dtc" / "pylibfdt" / "libfdt.i_shipped"
    if interface.exists():
        text = interface.read_text("utf-8")
        interface.write_text(text.replace("SWIG_Python_AppendOutput", "SWIG_AppendOutput"), "utf-8")
