# SPDX-License-Identifier: Apache-2.0
"""Makes the root filesystem of a slot: recipe and board in, ``slot.ext4`` out.

It does not need root, and the same inputs always give the same bytes. It runs no program of the
image, unless the recipe has its packages installed by mmdebstrap.
"""

import json
import tarfile
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from ota_artifact.image.workplace import delivered
from ota_artifact.run import run
from ota_board.board import Board
from ota_board.entry import extlinux
from ota_board.render import rendered
from ota_image import __version__, hardware, packages
from ota_image.cache import cache_folder, is_whole, key_of, make_once, one_error_if_full, open_cache
from ota_image.errors import ImageError
from ota_image.packages.apt import AptRoot, Package, digest_of
from ota_image.packages.choice import Chosen, choose
from ota_image.packages.deb import open_deb, verify_file
from ota_image.packages.reach import apt_for
from ota_image.packages.recipe import Recipe, fitted
from ota_image.packages.sources import (
    ANY_SOURCE,
    Source,
    chosen_archives,
    chosen_mirrors,
    has_security,
)
from ota_image.progress import Say
from ota_image.rootfs.access import check_keys, check_trust, remarks, with_login
from ota_image.rootfs.agent import add_agent
from ota_image.rootfs.bytecode import add_bytecode
from ota_image.rootfs.installed import STATUS, install, installed_packages, time_of
from ota_image.rootfs.kernel import add_kernel
from ota_image.rootfs.mkfs import Ext4, write_ext4
from ota_image.rootfs.python import Python, python_for
from ota_image.rootfs.settings import Settings
from ota_image.rootfs.system import add_accounts, add_applets, add_board, add_certificates
from ota_image.rootfs.tree import Tree, host_text
from ota_image.rootfs.wheel import Wheel
from ota_image.workfolder import own_folder

_SPACE = uuid.UUID("b9d4cf1c-6b0c-4a0e-8f5e-6d0f3d2a7c11")
"""Our namespace for identities that follow from the inputs. Source: RFC 9562, 5.5."""
_PLACES = ("path", "overlays", "wheels")
"""Fields of a recipe and the settings that are paths on this machine; only the content counts."""
_SOURCES = (".py", ".sh", ".j2")
_OWN_CODE = tuple(Path(each).parent for each in (__file__, packages.__file__, hardware.__file__))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A root filesystem that is ready to be written into a slot.

    Attributes:
        path: the ext4 image, as large as the slot.
        sha256: of all its bytes [hex].
        release: the release that the device shows.
        packages: that have files in it, with the kernel's, sorted by name.
        time: of its files [s since 1970].
        wheels: of the agent.
    """

    path: Path
    sha256: str
    release: str
    packages: tuple[Package, ...]
    time: int
    wheels: tuple[Wheel, ...] = ()

    def move(self, path: Path) -> "Slot":
        """Rename the image, replacing what has that name; gives the slot with its new path.

        Raises:
            OSError: it cannot be renamed.
        """
        self.path.replace(path)
        return replace(self, path=path)


def make_slot(
    board: Board,
    recipe: Recipe,
    settings: Settings,
    output: Path,
    *,
    source: Source = ANY_SOURCE,
    progress: Say = lambda text: None,
) -> Slot:
    """Make the root filesystem of a board, or take it from the cache, and put it into a file.

    Args:
        output: the file; an older one is replaced, whole or not at all.
        progress: takes a line for each step, and warnings.

    Raises:
        ImageError: the recipe, the lock, the board or an overlay is wrong, or it does not fit.
        ProgramError: the archive cannot be reached, or a program is missing or fails.
        WorldError: a package in the cache was damaged.
        OSError: no space.
    """
    board = fitted(board, recipe)
    check_trust(settings)
    for remark in remarks(board, recipe, settings):
        progress(remark)
    recipe = with_login(board, recipe, settings)
    mirrors = chosen_mirrors(source.mirrors)
    if mirrors.texts and not has_security(chosen_archives(mirrors, recipe.suite)):
        progress(
            f"warning: {mirrors.place}: no mirror has the suite {recipe.suite}-security, so"
            f" security updates are left out; add 'URL {recipe.suite}-security'"
        )

    @cache  # a list that cannot be fetched is asked for once
    def apt() -> AptRoot:
        return apt_for(board.arch, recipe.suite, source, recipe.components, say=progress)

    chosen = choose(
        recipe,
        board.arch,
        board.kernel.package,
        apt=apt,
        is_locked=source.is_locked,
        say=progress,
    )
    python = python_for(chosen.image, recipe, source, progress)
    key = _key(board, recipe, settings, chosen, python)
    settings = _with_release(settings, key)
    folder = cache_folder() / f"slots/{recipe.name}-{board.name}-{key}"
    if is_whole(folder):
        progress("the root filesystem is in the cache")
    else:
        with own_folder(open_cache()) as place, one_error_if_full(open_cache()):
            made = _build(board, recipe, settings, chosen, python, key, place, progress)
            with make_once(f"slots/{folder.name}") as (_, workplace):
                if workplace:
                    for path in made.iterdir():
                        path.rename(workplace / path.name)
    with delivered(output) as part, one_error_if_full(part.parent):
        argv = ("cp", "--sparse=always", "--reflink=auto", folder / "slot.ext4", part)
        run(argv, timeout=600)
        part.chmod(0o644)
    facts = json.loads((folder / "slot.json").read_text("utf-8"))
    there = (each for each in (*chosen.image, *chosen.kernel) if each.name in facts["packages"])
    return Slot(
        path=output,
        sha256=facts["sha256"],
        release=settings.release,
        packages=tuple(sorted(there, key=lambda each: each.name)),
        time=facts["time"],
        wheels=settings.wheels,
    )


def _build(
    board: Board,
    recipe: Recipe,
    settings: Settings,
    chosen: Chosen,
    python: Python,
    key: str,
    place: Path,
    say: Say,
) -> Path:
    """Make the image in the folder of a build; gives the folder with the files to keep."""
    contents, modules, made = (place / name for name in ("contents", "modules", "made"))
    for folder in (contents, modules, made):
        folder.mkdir()
    tree = Tree(contents)
    if recipe.install == "mmdebstrap":
        time = _add_installed(tree, recipe, chosen.image, board.arch, say)
        installed = installed_packages(tree.text(STATUS))
    else:
        say(f"unpacking {len(chosen.image)} packages")
        time = _unpack(tree, chosen.image)
        installed = set()
    for pattern in recipe.leave_out:
        tree.remove(pattern)
    for path in recipe.folders:
        tree.add_folder(path)
    for link in recipe.links:
        tree.add_link(link.path, link.target)
    if recipe.install == "unpack":
        add_applets(tree)
        add_certificates(tree)
    add_accounts(tree, recipe, settings)
    add_board(tree, board, recipe, settings, time)
    kernel = add_kernel(
        tree, board, chosen.kernel, modules=recipe.modules, workplace=modules, say=say
    )
    for overlay in recipe.overlays:
        tree.add_from(overlay)
    add_agent(tree, settings.wheels, board.arch)
    for overlay in settings.overlays:
        tree.add_from(overlay)
    check_keys(tree, settings)
    add_bytecode(tree, python, say)
    size = board.partitions.slot
    say(f"writing the filesystem of {size >> 20} MiB")
    form = Ext4(size=size, label="rootfs", uuid=str(uuid.uuid5(_SPACE, key)), time=time)
    write_ext4(tree, made / "slot.ext4", form)
    there = sorted({*installed, *tree.origins(), kernel.name})
    facts = {"sha256": digest_of(made / "slot.ext4"), "time": time, "packages": there}
    (made / "slot.json").write_text(json.dumps(facts), "utf-8")
    return made


def _unpack(tree: Tree, packages: Sequence[Package]) -> int:
    """Put packages into the tree; gives the newest of their times [s since 1970]."""
    newest = 1
    for package in packages:
        with open_deb(verify_file(package)) as tar:
            newest = max(newest, tree.add_tar(tar, origin=package.name))
    return newest


def _add_installed(
    tree: Tree, recipe: Recipe, packages: Sequence[Package], arch: str, say: Say
) -> int:
    """Put installed packages into the tree; gives the newest of their times [s since 1970]."""
    made = install(recipe, packages, arch, say)
    say("reading the installed packages")
    with tarfile.open(made, "r:", encoding="utf-8") as tar:
        tree.add_tar(tar)
    return time_of(packages)


def _with_release(settings: Settings, key: str) -> Settings:
    release = settings.release or f"{__version__}+{key[:12]}"
    return replace(settings, release=release)


def _key(board: Board, recipe: Recipe, settings: Settings, chosen: Chosen, python: Python) -> str:
    """16 hex digits that change with any input."""
    overlays = (*recipe.overlays, *settings.overlays)
    plain = {
        "recipe": {name: str(each) for name, each in asdict(recipe).items() if name not in _PLACES},
        "settings": {name: each for name, each in asdict(settings).items() if name not in _PLACES},
        "wheels": [each.sha256 for each in settings.wheels],
        "packages": [each.sha256 for each in (*chosen.image, *chosen.kernel)],
        "board": asdict(board),
        "files": rendered(board),
        "boot": extlinux(board),
    }
    code = sorted(
        path for folder in _OWN_CODE for path in folder.iterdir() if path.suffix in _SOURCES
    )
    return key_of(
        __version__,
        python.identity,
        json.dumps(plain, sort_keys=True),
        *(_folder_digest(overlay) for overlay in overlays),
        *(path.read_bytes() for path in code),
    )


def _folder_digest(folder: Path) -> str:
    """A digest of the names, contents and execute bits of everything in a folder.

    Raises:
        ImageError: it is not a folder.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: is not a folder; give the folder whose files to add")
    parts: list[str] = []
    for path in sorted(folder.rglob("*"), key=host_text):
        parts.append(host_text(path.relative_to(folder)))
        if path.is_symlink():
            parts.append(f"link {host_text(path.readlink())}")
        elif path.is_file():
            parts.append(f"{path.stat().st_mode & 0o100} {digest_of(path)}")
    return key_of(*parts)
