# SPDX-License-Identifier: Apache-2.0
"""Puts the agent into a root filesystem: its wheels, unpacked as an installer does it.

Source: Python Packaging User Guide, "Binary distribution format".
"""

import posixpath
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import key_of, make_once
from ota_image.errors import ImageError
from ota_image.rootfs.interpreter import check_wheel
from ota_image.rootfs.tree import Tree
from ota_image.rootfs.wheel import Wheel, commands, contents, read_wheel

PACKAGES = ("artifact", "agent")
"""The tools that a device has; the second needs the first."""

_PACKED = Path(__file__).parents[1] / "wheels"
"""Where the wheel of ota-image has the agent's; see tools/image/hatch_build.py."""
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


def own_wheels(packed: Path = _PACKED) -> tuple[Wheel, ...]:
    """The agent's wheels that came with ota-image; in the tree, those of its sources.

    Raises:
        ImageError: there is neither.
        ProgramError: hatchling is missing or fails.
    """
    if not packed.is_dir():
        return tree_wheels()
    return tuple(read_wheel(path) for name in PACKAGES for path in packed.glob(f"ota_{name}-*.whl"))


def tree_wheels(tools: Path = _TOOLS) -> tuple[Wheel, ...]:
    """Build the wheels of this tree's agent; the same sources give the same bytes.

    Raises:
        ImageError: ota-image was installed without the tree.
        ProgramError: hatchling is missing or fails.
    """
    wheels = []
    for name in PACKAGES:
        folder = tools / name
        if not (folder / "pyproject.toml").is_file():
            raise ImageError(
                f"{folder}: is missing, so the agent cannot be built; give its wheels with"
                " --agent-wheel, or leave it out with --without-agent"
            )
        with make_once(f"wheels/{name}-{_digest(folder)}") as (place, workplace):
            if workplace:
                build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", workplace)
                run(("env", "-C", folder, "SOURCE_DATE_EPOCH=1577836800", *build), timeout=300)
        wheels += [read_wheel(path) for path in sorted(place.glob("*.whl"))]
    return tuple(wheels)


def check_wheels(wheels: Sequence[Wheel]) -> tuple[Wheel, ...]:
    """The wheels that a user gave, in the order in which they are installed.

    Raises:
        ImageError: they are not exactly the agent's two.
    """
    names, wanted = sorted(each.name for each in wheels), sorted(f"ota-{name}" for name in PACKAGES)
    if names != wanted:
        raise ImageError(
            f"--agent-wheel: must be given for {' and '.join(wanted)}, and these are"
            f" {', '.join(names)}"
        )
    return tuple(sorted(wheels, key=lambda each: each.name, reverse=True))


def add_agent(tree: Tree, wheels: Sequence[Wheel], arch: str) -> None:
    """Put wheels into the tree, and let init start the agent.

    Args:
        arch: Debian's name of the board's CPU; a wheel may need other distributions on another.

    Raises:
        ImageError: a wheel is damaged, Python is missing, or something that a wheel needs.
    """
    if not wheels:
        return
    for wheel in wheels:
        for member in contents(wheel):
            mode = 0o755 if member.is_executable else 0o644
            tree.add_file(_place(wheel, member.name), member.data, mode)
        for name, module, function in commands(wheel):
            text = _STUB.format(module=module, function=function)
            tree.add_file(f"/usr/bin/{name}", text, 0o755)
    for wheel in wheels:
        check_wheel(wheel, tree, _MODULES, arch)
    _enable(tree)


def _place(wheel: Wheel, name: str) -> str:
    """The path of a wheel's file on a Debian system."""
    head, _, rest = name.partition("/")
    if not head.endswith(".data"):
        return f"{_MODULES}/{name}"
    kind, _, rest = rest.partition("/")
    places = {"data": "/usr", "purelib": _MODULES, "scripts": "/usr/bin"}
    if kind not in places:
        raise ImageError(f"{wheel.path}: {name}: an image has no folder for files of this kind")
    return f"{places[kind]}/{rest}"


def _enable(tree: Tree) -> None:
    """Let init start the agent: busybox by its inittab, systemd by the targets of the units."""
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


def _digest(folder: Path) -> str:
    """A digest of everything that a wheel is made from."""
    parts: list[str | bytes] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            name = path.relative_to(folder).as_posix()
            parts += [f"{name} {path.stat().st_mode & 0o100}", path.read_bytes()]
    return key_of(*parts)
