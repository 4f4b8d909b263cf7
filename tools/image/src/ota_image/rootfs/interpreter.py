# SPDX-License-Identifier: Apache-2.0
"""Checks a wheel against the Python of a root filesystem: its version and its distributions.

The conditions in a wheel's requirements are evaluated for that Python, not for the one that runs
ota-image.
"""

import posixpath
import re
from typing import TYPE_CHECKING

from ota_image.errors import ImageError
from ota_image.rootfs.tree import Tree
from ota_image.rootfs.wheel import Wheel

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

_PROGRAM = "/usr/bin/python3"
_MACHINES = {"arm64": "aarch64", "armhf": "armv7l", "amd64": "x86_64"}
_WITHOUT = "or leave the agent out with --without-agent"


def check_wheel(wheel: Wheel, tree: Tree, modules: str, arch: str) -> None:
    """Fail if a wheel does not work with the Python of a tree.

    Args:
        modules: the folder with the distributions.
        arch: Debian's name of the board's CPU.

    Raises:
        ImageError: there is no Python, it is of another version than the wheel needs, or a
            distribution that the wheel needs is missing or of another version.
    """
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.tags import compatible_tags
    from packaging.utils import canonicalize_name

    version = python_version(tree)
    shown = ".".join(str(part) for part in version)
    right = {str(tag) for tag in compatible_tags(version, f"cp{version[0]}{version[1]}", ["any"])}
    if not right & {*wheel.tags} or f"{shown}.0" not in SpecifierSet(wheel.python):
        raise ImageError(
            f"{wheel.path}: is for Python {wheel.python or ' '.join(wheel.tags)}, and the image has"
            f" {shown}; give another wheel, {_WITHOUT}"
        )
    there, environment = distributions(tree, modules), marker_environment(version, arch)
    for text in wheel.needs:
        need = Requirement(text)
        if need.marker and not need.marker.evaluate(environment):
            continue
        name = canonicalize_name(need.name)
        if name not in there:
            raise ImageError(
                f"{wheel.name}: needs {name}; add python3-{name} to the recipe's packages,"
                f" {_WITHOUT}"
            )
        if not _meets(there[name], need.specifier):
            raise ImageError(
                f"{wheel.name}: needs {name}{need.specifier}, and the image has {there[name]};"
                f" choose another release in the recipe, {_WITHOUT}"
            )


def _meets(text: str, specifier: "SpecifierSet") -> bool:
    """Whether a version is one of those; assume so if it cannot be compared."""
    from packaging.version import InvalidVersion, Version

    try:
        return specifier.contains(Version(text), prereleases=True)
    except InvalidVersion:
        return True


def python_version(tree: Tree) -> tuple[int, int]:
    """The version of the program python3.

    Raises:
        ImageError: there is no such program, or its version is unknown.
    """
    if tree.get(_PROGRAM) is None:
        raise ImageError(
            "the agent needs Python: add python3 and python3-urllib3 to the recipe's packages,"
            f" {_WITHOUT}"
        )
    program = tree.real(_PROGRAM)
    match = re.search(r"/python(\d+)\.(\d+)$", program)
    if match is None:
        raise ImageError(f"{program}: its version is unknown; make {_PROGRAM} a link to python3.N")
    return int(match[1]), int(match[2])


def distributions(tree: Tree, modules: str) -> dict[str, str]:
    """The version of each distribution, by its name in the normal spelling."""
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    depth = modules.count("/") + 1
    for path, _ in tree:
        if path.startswith(f"{modules}/") and path.count("/") == depth:
            name, dot, kind = posixpath.basename(path).rpartition(".")
            if dot and kind in ("dist-info", "egg-info"):
                # NAME-VERSION, and in an egg's name maybe -pyN.N.
                name, version, *_ = [*name.split("-"), ""]
                found[canonicalize_name(name)] = version
    return found


def marker_environment(version: tuple[int, int], arch: str) -> dict[str, str]:
    """The values for the conditions of requirements, without extras. Source: PEP 508.

    The third part of Python's version is set to 0, since no file of the image tells it.
    """
    shown = ".".join(str(part) for part in version)
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": f"{shown}.0",
        "os_name": "posix",
        "platform_machine": _MACHINES.get(arch, arch),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{shown}.0",
        "python_version": shown,
        "sys_platform": "linux",
    }
