# SPDX-License-Identifier: Apache-2.0
"""Reads and checks ``images/<image>.yaml``: what goes into a root filesystem."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from ota_board.board import Board
from ota_board.errors import BoardError
from ota_board.fields import Fields, read_fields
from ota_board.grow import with_slots
from ota_image.cache import key_of
from ota_image.errors import ImageError

SCHEMA = 1
"""Version of the format of recipes."""

DEFAULT = "minimal"
"""The recipe that is built without an option."""

Login = Literal["keys", "open"]
"""The users who can log in: owners of the image's SSH keys, or anyone: root has no password."""

Install = Literal["unpack", "mmdebstrap"]
"""How packages are installed: unpacked, without running their scripts; or by mmdebstrap, which runs
the scripts, under emulation if the board has another CPU than this machine."""

_FIELDS = (
    "schema",
    "name",
    "summary",
    "suites",
    "components",
    "install",
    "packages",
    "without",
    "leave_out",
    "folders",
    "links",
    "modules",
    "overlays",
    "login",
    "users",
    "needs",
)
_SUITE_FIELDS = ("packages", "without", "leave_out")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SUITE = re.compile(r"[a-z][a-z0-9-]*")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Source: Debian Policy, 5.6.7
USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
USER_IDS = range(1000, 60000)
"""For users. Source: Debian Policy, 9.2.2."""
_ESSENTIAL = "?essential"  # Source: apt-patterns(7)
_PACKAGE_FOLDER = Path(__file__).parents[1]
PACKAGED = _PACKAGE_FOLDER / "images"
"""The recipes in the wheel; in a clone, it is not there."""


@dataclass(frozen=True, slots=True)
class User:
    """A user other than root, who logs in with the image's SSH keys."""

    name: str
    uid: int


@dataclass(frozen=True, slots=True)
class Link:
    """A symlink: its path, and where it leads."""

    path: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A root filesystem for one suite of Debian, whatever the board.

    Attributes:
        path: of its file; the locks are next to it.
        suite: of Debian, by its code name.
        components: of the archive, in addition to those that the machine has.
        install: how packages are installed.
        packages: installed with everything that they depend on, except those in ``without``.
        leave_out: patterns of paths; a match is removed, with everything below it.
        folders: to make, such as mount points.
        links: to make.
        modules: of the kernel, in addition to the board's drivers; skipped if a kernel lacks them.
        overlays: folders whose files replace those of the packages, in order.
        slot: the size of slots that it needs [B]; 0 if any will do.
    """

    path: Path
    name: str
    summary: str
    suite: str
    components: tuple[str, ...]
    install: Install
    packages: tuple[str, ...]
    without: tuple[str, ...]
    leave_out: tuple[str, ...]
    folders: tuple[str, ...]
    links: tuple[Link, ...]
    modules: tuple[str, ...]
    overlays: tuple[Path, ...]
    login: Login
    users: tuple[User, ...]
    slot: int

    @property
    def wanted(self) -> tuple[str, ...]:
        """What to ask apt for; scripts that run also need what Debian calls essential."""
        return (*self.packages, *((_ESSENTIAL,) if self.install == "mmdebstrap" else ()))

    @property
    def choice(self) -> str:
        """A digest of what decides which packages are chosen; the lock has it."""
        return key_of(
            self.suite, *sorted(self.components), "", *sorted(self.wanted), "",
            *sorted(self.without),
        )  # fmt: skip


def fitted(board: Board, recipe: Recipe) -> Board:
    """The board with slots that are large enough for the recipe.

    Raises:
        ImageError: the slots of a real board are too small.
    """
    try:
        return with_slots(board, recipe.slot)
    except BoardError as error:
        raise ImageError(f"{error} for the image {recipe.name}, or choose another") from error


def load_recipes(path: Path) -> tuple[Recipe, ...]:
    """Read and check a recipe; gives it for each of its suites, the newest last.

    Raises:
        BoardError: the file is not YAML, or a field is missing, unknown or wrong.
        OSError: the file cannot be read.
    """
    fields = read_fields(path, _FIELDS)
    if fields.number("schema") != SCHEMA:
        raise fields.wrong("schema", f"must be {SCHEMA}; a newer one needs a newer ota-image")
    name = fields.text("name")
    if not _NAME.fullmatch(name):
        raise fields.wrong("name", f"{name!r} must be lower-case letters, digits and single dashes")
    install = fields.choice("install", get_args(Install), "unpack")
    suites = fields.named_mappings("suites", _SUITE_FIELDS)
    if not suites:
        raise fields.wrong("suites", "must have at least one suite, such as 'trixie: {}'")
    for suite, own in suites.items():
        if not _SUITE.fullmatch(suite):
            raise fields.wrong("suites", f"{suite!r} is not the code name of a Debian release")
        for each in (fields, own):
            if install == "mmdebstrap" and each.has("without"):
                text = "mmdebstrap takes every dependency; use leave_out for files"
                raise each.wrong("without", text)
    packages = _packages(fields, "packages")
    if not packages:
        raise fields.wrong("packages", "must have at least one entry")
    without, leave_out = _packages(fields, "without"), _paths(fields, "leave_out")
    common = Recipe(
        path=path,
        name=name,
        summary=fields.text("summary"),
        suite="",
        components=fields.texts("components"),
        install=install,
        packages=packages,
        without=without,
        leave_out=leave_out,
        folders=_paths(fields, "folders"),
        links=tuple(_link(each) for each in fields.each("links", ("at", "to"))),
        modules=fields.texts("modules"),
        overlays=_overlays(fields, path),
        login=fields.choice("login", get_args(Login), "keys"),
        users=tuple(_user(each) for each in fields.each("users", ("name", "uid"))),
        slot=fields.inner("needs", ("slots",)).size("slots") if fields.has("needs") else 0,
    )
    return tuple(
        replace(
            common,
            suite=suite,
            packages=(*packages, *_packages(own, "packages")),
            without=(*without, *_packages(own, "without")),
            leave_out=(*leave_out, *_paths(own, "leave_out")),
        )
        for suite, own in suites.items()
    )


def load_recipe(path: Path, suite: str = "") -> Recipe:
    """Read and check a recipe for one suite, by default for its newest.

    Raises:
        BoardError: as for `load_recipes`.
        ImageError: it is not for that suite.
        OSError: the file cannot be read.
    """
    recipes = load_recipes(path)
    found = [each for each in recipes if suite in ("", each.suite)]
    if not found:
        known = ", ".join(each.suite for each in recipes)
        raise ImageError(
            f"{path}: is not for {suite}, only for {known}; choose one of them, or add {suite} to"
            " its suites"
        )
    return found[-1]


def recipe_folders(chosen: str | None = None) -> Sequence[Path]:
    """Where to look for recipes: what was chosen, ./images, then the package's own."""
    return (*((Path(chosen),) if chosen else ()), Path("images"), _own_folder())


def _own_folder() -> Path:
    return PACKAGED if PACKAGED.is_dir() else _PACKAGE_FOLDER.parents[3] / "images"


def find_recipe(name: str, folders: Sequence[Path]) -> Path:
    """The recipe with that name, or the file that the name is a path to.

    Raises:
        ImageError: there is no such recipe; the text names those that there are.
    """
    if "/" in name and Path(name).is_file():
        return Path(name)
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    places = ", ".join(str(folder) for folder in folders)
    raise ImageError(f"{name}: no such image in {places}; there are: {', '.join(known) or 'none'}")


def _packages(fields: Fields, name: str) -> tuple[str, ...]:
    texts = fields.texts(name)
    for text in texts:
        if not _PACKAGE.fullmatch(text):
            raise fields.wrong(name, f"{text!r} is not the name of a Debian package")
    return texts


def _paths(fields: Fields, name: str) -> tuple[str, ...]:
    paths = fields.texts(name)
    for path in paths:
        _check_path(fields, name, path)
    return paths


def _link(fields: Fields) -> Link:
    path = fields.text("at")
    _check_path(fields, "at", path)
    return Link(path, fields.text("to"))


def _check_path(fields: Fields, name: str, path: str) -> None:
    if not path.startswith("/") or path.rstrip("/*") == "" or ".." in path.split("/"):
        raise fields.wrong(name, f"{path!r} must be a path from '/', and not '/' itself")


def _overlays(fields: Fields, path: Path) -> tuple[Path, ...]:
    names = fields.texts("overlays")
    for name in names:
        if not (path.parent / name).is_dir():
            ours = _own_folder() / name
            remedy = f"; copy {ours} there" if ours.is_dir() else ""
            raise fields.wrong("overlays", f"{path.parent / name} does not exist{remedy}")
    return tuple(path.parent / name for name in names)


def _user(fields: Fields) -> User:
    name, uid = fields.text("name"), fields.number("uid")
    if not USER_NAME.fullmatch(name) or name == "root":
        raise fields.wrong("name", f"{name!r} must be lower-case letters, digits, '_' and '-'")
    if uid not in USER_IDS:
        raise fields.wrong("uid", f"{uid} is not a user's; choose one from 1000 to 59999")
    return User(name, uid)
