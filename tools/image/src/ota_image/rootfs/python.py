# SPDX-License-Identifier: Apache-2.0
"""Finds the Python that compiles the modules of an image: the image's own version, for this CPU.

Byte code is the same for every CPU. So that it does not depend on the Python of this machine, the
package of exactly the image's version is unpacked into the cache, and started with its own loader
and its own C library.
"""

import marshal
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_image.cache import make_once
from ota_image.errors import ImageError, WorldError
from ota_image.packages.apt import Package, download
from ota_image.packages.deb import verify_file
from ota_image.packages.reach import apt_for
from ota_image.packages.recipe import Recipe
from ota_image.packages.sources import Source, host_arch
from ota_image.progress import Say

_SCRIPT = Path(__file__).with_name("compile_modules.py")
_MINIMAL = re.compile(r"python3\.(\d+)-minimal")
_LIBRARIES = ("libc6", "libexpat1", "zlib1g")
"""What Debian's python3.N-minimal is linked with. The interpreter itself is in it."""
_OPTIONS = ("-B", "-S", "-s", "-W", "ignore")
_TIMEOUT = 600.0  # [s] on a slow machine


@dataclass(frozen=True, slots=True)
class Python:
    """A Python that can be started.

    Attributes:
        minor: N of its version 3.N.
        argv: how it is started.
        identity: changes with whatever may change its byte code.
    """

    minor: int
    argv: tuple[str, ...]
    identity: str

    @property
    def folder(self) -> str:
        """Where a Debian system has its modules."""
        return f"/usr/lib/python3.{self.minor}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """Byte code: its magic number, the tag in the names of its files, and one for each source."""

    magic: bytes
    tag: str
    codes: tuple[bytes | None, ...]


def compile_all(python: Python, sources: Sequence[tuple[str, bytes]]) -> Compiled:
    """Compile modules; the byte code is None where a source is not for this Python.

    Raises:
        ProgramError: Python cannot be started, or fails.
    """
    alone = ("env", "-i", "LC_ALL=C.UTF-8", "PYTHONHASHSEED=0")
    said = run(
        (*alone, *python.argv, *_OPTIONS, str(_SCRIPT)),
        timeout=_TIMEOUT,
        stdin=marshal.dumps(list(sources), 2),
    )
    magic, tag, codes = marshal.loads(said)  # noqa: S302  (of a process that we started)
    return Compiled(magic, tag, tuple(codes))


def own_python() -> Python:
    """The Python that runs ota-image."""
    return Python(sys.version_info.minor, (sys.executable,), f"own {MAGIC_NUMBER.hex()}")


def python_for(packages: Sequence[Package], recipe: Recipe, source: Source, say: Say) -> Python:
    """The Python that compiles the modules of an image with these packages.

    If its package cannot be had, it is one of the same 3.N from this machine, with a warning.

    Raises:
        ImageError: the archive no longer has the version, and it has to.
        OSError: no space in the cache.
    """
    found = next(((each, m) for each in packages if (m := _MINIMAL.fullmatch(each.name))), None)
    if found is None:
        return own_python()
    package, match = found
    minor = int(match[1])
    try:
        return _unpacked(package, minor, recipe, source, say)
    except (ImageError, ProgramError, WorldError) as error:
        if source.is_locked:
            raise
        other = _on_this_machine(minor)
        say(
            f"warning: {package.name} {package.version} for this machine: {error}; byte code may"
            f" differ from other builds, since {other.argv[0]} makes it"
        )
        return other


def _unpacked(package: Package, minor: int, recipe: Recipe, source: Source, say: Say) -> Python:
    """Python of exactly the version of a package, for this machine, in the cache."""
    arch = host_arch()
    name = package.name
    with make_once(f"python/{name}_{package.version}_{arch}".replace(":", "%3a")) as (
        folder,
        workplace,
    ):
        if workplace:
            root = apt_for(arch, recipe.suite, source, recipe.components, say=say)
            needed = (name, f"lib{name}", *_LIBRARIES)
            chosen = [f"{name}={package.version}", f"lib{name}={package.version}"]
            packages = [each for each in root.resolve(chosen) if each.name in needed]
            download(root, packages, say)
            for each in packages:
                argv = ("dpkg-deb", "-x", verify_file(each), workplace)
                run(argv, timeout=120, environment={"LC_ALL": "C.UTF-8"})
            run((*_argv(workplace, minor), *_OPTIONS, "-c", "import marshal"), timeout=60)
    return Python(minor, _argv(folder, minor), f"{name} {package.version}")


def _argv(folder: Path, minor: int) -> tuple[str, ...]:
    """Start an unpacked Python with its own loader, whatever the C library of this machine."""
    libraries = sorted({str(path.parent.relative_to(folder)) for path in folder.rglob("*.so.*")})
    loaders = [path for path in folder.rglob("ld-linux*.so.*") if not path.is_symlink()]
    if not loaders:
        raise ProgramError(f"{folder}: has no loader; empty the cache with ota-image cache --empty")
    loader = f"./{loaders[0].relative_to(folder)}"
    # With relative paths, since the name of the cache may have the colons that end each of them.
    in_folder = ("sh", "-c", 'cd "$0" && exec "$@"', str(folder), "env", "PYTHONHOME=usr")
    return (*in_folder, loader, "--library-path", ":".join(libraries), f"usr/bin/python3.{minor}")


def _on_this_machine(minor: int) -> Python:
    """Python 3.N of this machine, or the one that runs ota-image."""
    name = f"python3.{minor}"
    program = shutil.which(name)
    if minor == sys.version_info.minor or program is None:
        return own_python()
    said = "import sys; print(sys.version_info.minor)"
    try:
        shown = run((program, "-I", "-S", "-c", said), timeout=60).decode().strip()
    except ProgramError:  # of a version manager, which has the name but not the program
        return own_python()
    return Python(minor, (program,), f"{name} of PATH") if shown == str(minor) else own_python()
