# SPDX-License-Identifier: Apache-2.0
"""Puts the agent into a root filesystem: its wheels, taken apart as an installer would do it.

Source: Python Packaging User Guide, "Binary distribution format", "Entry points specification".
"""

import configparser
import hashlib
import posixpath
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import key_of, made_once
from ota_image.errors import ImageError
from ota_image.rootfs.tree import Tree

PACKAGES = ("artifact", "agent")
"""The tools that a device carries; the second needs the first."""

_TOOLS = Path(__file__).parents[4]
_MODULES = "/usr/lib/python3/dist-packages"
_UNITS = "/usr/lib/systemd/system/"
_RESPAWN = "::respawn:/usr/lib/ota/agent\n"
_STUB = """\
#!/usr/bin/python3 -I
import sys
from {module} import {function}
sys.exit({function}())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One distribution of Python's.

    Attributes:
        needs: names of the distributions that it needs without an extra.
    """

    path: Path
    name: str
    version: str
    needs: tuple[str, ...]
    sha256: str


def tree_wheels(tools: Path = _TOOLS) -> tuple[Wheel, ...]:
    """The wheels of this tree's own agent; the same sources give the same bytes.

    Raises:
        ImageError: ota-image was installed without the tree.
        ProgramError: hatchling is missing or fails.
    """
    wheels = []
    for name in PACKAGES:
        folder = tools / name
        if not (folder / "pyproject.toml").is_file():
            raise ImageError(
                f"{folder}: is not there, so that the agent cannot be built; give its wheels with"
                " --agent-wheel, or leave it out with --without-agent"
            )
        with made_once(f"wheels/{name}-{_digest(folder)}") as (place, workplace):
            if workplace:
                build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", workplace)
                run(("env", "-C", folder, "SOURCE_DATE_EPOCH=1577836800", *build), timeout=300)
        wheels += [read_wheel(path) for path in sorted(place.glob("*.whl"))]
    return tuple(wheels)


def read_wheel(path: Path) -> Wheel:
    """What a wheel says of itself.

    Raises:
        ImageError: it is none, or not one that runs on every CPU.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
            if len(names) != 1:
                raise ImageError(f"{path}: is no wheel: it has {len(names)} files METADATA")
            meta = HeaderParser().parsestr(archive.read(names[0]).decode())
    except zipfile.BadZipFile as error:
        raise ImageError(f"{path}: is no wheel: {error}") from error
    if not path.name.endswith("-none-any.whl"):
        raise ImageError(f"{path}: is not for every CPU; its name must end with -none-any.whl")
    needs = (each for each in meta.get_all("Requires-Dist", ()) if "extra ==" not in each)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    names_of_needs = tuple(
        _normal(re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0]) for each in needs
    )
    return Wheel(
        path=path,
        name=_normal(meta["Name"]),
        version=meta["Version"],
        needs=names_of_needs,
        sha256=digest,
    )


def check_wheels(wheels: Sequence[Wheel]) -> tuple[Wheel, ...]:
    """Wheels that somebody chose: each of the agent's, once.

    Raises:
        ImageError: one is missing, or there is another one.
    """
    names, wanted = sorted(each.name for each in wheels), sorted(f"ota-{name}" for name in PACKAGES)
    if names != wanted:
        raise ImageError(
            f"--agent-wheel: must be given for {' and '.join(wanted)}, and these are"
            f" {', '.join(names)}"
        )
    return tuple(sorted(wheels, key=lambda each: each.name, reverse=True))


def add_agent(tree: Tree, wheels: Sequence[Wheel]) -> None:
    """Put wheels into the tree, and have init start what is to run.

    Raises:
        ImageError: a path leads out, Python is missing, or something that a wheel needs.
    """
    if not wheels:
        return
    if tree.get("/usr/bin/python3") is None:
        raise ImageError(
            "the agent needs Python: add python3 and python3-urllib3 to the recipe's packages, or"
            " leave the agent out with --without-agent"
        )
    for wheel in wheels:
        with zipfile.ZipFile(wheel.path) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    mode = 0o755 if member.external_attr >> 16 & 0o100 else 0o644
                    tree.add_file(_place(wheel, member.filename), archive.read(member), mode)
            for name, stub in _programs(archive):
                tree.add_file(f"/usr/bin/{name}", stub, 0o755)
    _check_needs(tree, wheels)
    _enable(tree)


def _place(wheel: Wheel, name: str) -> str:
    """Where a file of a wheel goes on a Debian system."""
    if name.startswith("/") or ".." in name.split("/"):
        raise ImageError(f"{wheel.path}: {name}: leads out of the root filesystem")
    head, _, rest = name.partition("/")
    if not head.endswith(".data"):
        return f"{_MODULES}/{name}"
    kind, _, rest = rest.partition("/")
    places = {"data": "/usr", "purelib": _MODULES, "scripts": "/usr/bin"}
    if kind not in places:
        raise ImageError(f"{wheel.path}: {name}: is of a kind that no image has a place for")
    return f"{places[kind]}/{rest}"


def _programs(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Names and texts of the commands."""
    for name in archive.namelist():
        if name.endswith(".dist-info/entry_points.txt"):
            points = configparser.ConfigParser(delimiters=("=",), interpolation=None)
            points.optionxform = str  # type: ignore[method-assign,assignment]  # as they are written
            points.read_string(archive.read(name).decode())
            if points.has_section("console_scripts"):
                for command, entry in points.items("console_scripts"):
                    module, _, function = entry.partition(":")
                    yield command, _STUB.format(module=module.strip(), function=function.strip())


def _check_needs(tree: Tree, wheels: Sequence[Wheel]) -> None:
    depth = _MODULES.count("/") + 1
    there = {
        _normal(re.split(r"-[0-9]|\.(?:dist|egg)-info", posixpath.basename(path), maxsplit=1)[0])
        for path, _ in tree
        if path.startswith(f"{_MODULES}/") and path.count("/") == depth
    }
    for wheel in wheels:
        for need in wheel.needs:
            if need not in there:
                raise ImageError(
                    f"{wheel.name}: needs {need}; add python3-{need} to the recipe's packages, or"
                    " leave the agent out with --without-agent"
                )


def _enable(tree: Tree) -> None:
    """Have init start the agent: busybox by its inittab, systemd by what its units ask for."""
    if "/etc/inittab" in tree and "/usr/lib/ota/agent" in tree:
        text = tree.text("/etc/inittab")
        if _RESPAWN not in text:
            tree.add_file("/etc/inittab", text + _RESPAWN)
    if tree.get("/usr/lib/systemd/systemd") is None:
        return
    units = [path for path, _ in tree if path.startswith(f"{_UNITS}ota-")]
    for path in units:
        for target in re.findall(r"^WantedBy=(\S+)$", tree.text(path), re.MULTILINE):
            name = posixpath.basename(path)
            tree.add_link(f"/etc/systemd/system/{target}.wants/{name}", path)


def _normal(name: str) -> str:
    """A distribution's name as all spellings of it compare. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _digest(folder: Path) -> str:
    """Of all that a wheel is made from."""
    parts: list[str | bytes] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            name = path.relative_to(folder).as_posix()
            parts += [f"{name} {path.stat().st_mode & 0o100}", path.read_bytes()]
    return key_of(*parts)
