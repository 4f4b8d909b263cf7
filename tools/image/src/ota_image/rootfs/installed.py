# SPDX-License-Identifier: Apache-2.0
"""Installs packages with their own scripts, by mmdebstrap; the result is a tar in the cache.

mmdebstrap gets an archive of exactly the chosen packages, so it cannot install any other. The
scripts run programs of the board's CPU; on another CPU, Linux runs them in QEMU, by binfmt_misc.
"""

import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.image.workplace import find_program
from ota_artifact.run import run, stream
from ota_image.cache import key_of, make_once
from ota_image.errors import ImageError, WorldError
from ota_image.packages.apt import Package
from ota_image.packages.deb import built_at, open_deb, verify_file
from ota_image.packages.recipe import Recipe
from ota_image.progress import Say

STATUS = "/var/lib/dpkg/status"
"""dpkg's list, in an image whose packages are installed."""

_WAY = "1"  # count it up when the way of installing changes
_TIMEOUT = 7200.0  # [s] under emulation, on a slow machine
_QEMU = {"arm64": "aarch64", "armhf": "arm", "amd64": "x86_64"}
_BUSYBOX = "busybox-static"
_PROGRAMS = ("./usr/bin/busybox", "./bin/busybox")  # the second one until Debian 12
_MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr"
# Names and addresses of the build machine do not belong on the device.
_FORGET = """cd "$1/etc" && rm -f hostname apt/sources.list apt/apt.conf.d/99mmdebstrap &&
    { [ -L resolv.conf ] || rm -f resolv.conf; }"""
_STEP = re.compile(rb"I: (.*)\.\.\.")
_SHOWN = 12  # lines in an error
_RANGES = (
    "give yourself a range of users and groups: usermod --add-subuids 100000-165535"
    " --add-subgids 100000-165535 USER, or build as root"
)
# If we are ended, so is mmdebstrap with all its children, and its mounts are its own.
_ALONE = ("unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")


def install(recipe: Recipe, packages: Sequence[Package], arch: str, say: Say) -> Path:
    """Install packages; gives the tar of the root filesystem, which is in the cache.

    Args:
        packages: all of them; they must be in the cache.
        arch: Debian's name of the board's CPU.

    Raises:
        ImageError: busybox-static is not among the packages.
        WorldError: this machine cannot run programs of that CPU, or a package was damaged.
        ProgramError: mmdebstrap is missing, or a package's script fails.
        OSError: no space.
    """
    program = find_program("mmdebstrap", package="mmdebstrap")
    version = run((program, "--version"), timeout=60)
    key = key_of(
        arch,
        *recipe.packages,
        *(each.sha256 for each in packages),
        version,
        _WAY,
    )
    with make_once(f"installed/{recipe.name}-{arch}-{key}") as (folder, workplace):
        if workplace:
            _check_cpu(packages, arch)
            _check_user()
            say(f"installing {len(packages)} packages for {arch}; under emulation it takes minutes")
            with tempfile.TemporaryDirectory(prefix="ota-install-") as name:
                Path(name).chmod(0o755)  # mmdebstrap reads it as another user if we are not root
                made = _install(program, recipe, packages, arch, Path(name), say)
                shutil.copyfile(made, workplace / "root.tar")
    return folder / "root.tar"


def installed_packages(status: str) -> set[str]:
    """The names of the packages that are installed, by dpkg's own list.

    Source: dpkg(1), "INFORMATION ABOUT PACKAGES".
    """
    stanzas = (each for each in status.split("\n\n") if "\nStatus: install ok installed\n" in each)
    return set(re.findall(r"^Package: (\S+)$", "\n".join(stanzas), re.MULTILINE))


def time_of(packages: Sequence[Package]) -> int:
    """When the newest of the packages was built [s since 1970]."""
    return max(1, *(built_at(verify_file(each)) for each in packages))


def _install(
    program: str, recipe: Recipe, packages: Sequence[Package], arch: str, place: Path, say: Say
) -> Path:
    archive, output = place / "archive", place / "root.tar"
    make_archive(packages, archive)
    is_root = os.geteuid() == 0
    argv = (
        *(_ALONE if is_root else ()),
        *(program, f"--mode={'root' if is_root else 'unshare'}", "--variant=apt", "--format=tar"),
        *(f"--architectures={arch}", "--skip=check/qemu", f"--hook-dir={_MERGED_USR}"),
        f"--customize-hook={_FORGET}",
        *(f"--include={','.join(recipe.packages)}", '--aptopt=APT::Sandbox::User "root"'),
        *(recipe.suite, str(output), f"deb [trusted=yes] copy:{archive} ./"),
    )
    time = str(time_of(packages))
    settings = {"SOURCE_DATE_EPOCH": time, "TMPDIR": str(place), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    settings["TAR_OPTIONS"] = ""
    ended = stream(argv, silence=_TIMEOUT, sink=_ignore, show=_steps(say), environment=settings)
    if ended.code:
        lines = ended.said.splitlines()[-_SHOWN:]
        remedy = "" if is_root or "/etc/sub" not in ended.said else f"; {_RANGES}"
        raise ProgramError(f"{program}: exit code {ended.code}: {' | '.join(lines)}{remedy}")
    return output


def _ignore(_: bytes) -> None:
    """Do nothing with what mmdebstrap prints on stdout: its tar goes into a file."""


def _steps(say: Say) -> Callable[[bytes], None]:
    """What passes on mmdebstrap's own steps, of all that it prints on stderr."""
    rest = b""

    def hear(piece: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if step := _STEP.fullmatch(line):
                say(f"mmdebstrap: {step[1].decode('utf-8', 'replace')}")

    return hear


def _check_user() -> None:
    """Check that an ordinary user can have the numbers of other users, as root's files need.

    Raises:
        ProgramError: a program for that is missing.
    """
    if os.geteuid() != 0:
        for name in ("newuidmap", "newgidmap"):
            find_program(name, package="uidmap, or build as root")


def make_archive(packages: Sequence[Package], folder: Path) -> None:
    """Make an archive for apt: the packages, and a list of them; any user can read it.

    Raises:
        WorldError: a package was damaged.
        ProgramError: dpkg-scanpackages is missing, or fails.
    """
    folder.mkdir()
    for each in packages:
        shutil.copyfile(verify_file(each), folder / f"{each.name}_{each.arch}.deb")
    program = find_program("dpkg-scanpackages", package="dpkg-dev")
    in_folder = ("sh", "-c", 'cd "$0" && exec "$@"', str(folder))
    listed = run((*in_folder, program, "--multiversion", "."), timeout=600)
    (folder / "Packages").write_bytes(listed)
    for path in (folder, *folder.iterdir()):  # apt reads it as another user if we are not root
        path.chmod(0o755 if path == folder else 0o644)


def _check_cpu(packages: Sequence[Package], arch: str) -> None:
    """Try a program of the board's CPU.

    Raises:
        ImageError: the packages have no program that needs no library.
        WorldError: it does not run here.
    """
    package = next((each for each in packages if each.name == _BUSYBOX), None)
    if package is None:
        raise ImageError(f"{_BUSYBOX}: is not among the packages; add it to the recipe")
    with tempfile.TemporaryDirectory(prefix="ota-try-") as name:
        busybox = Path(name, "busybox")
        with open_deb(verify_file(package)) as tar:
            _extract(tar, _PROGRAMS, busybox)
        try:
            run((busybox, "true"), timeout=60)
        except ProgramError as error:
            qemu = _QEMU[arch]
            raise WorldError(
                f"this machine cannot run programs for {arch}, and the packages' scripts must run:"
                f" {error}; install qemu-user-static, and if that is not enough, for example in a"
                " container, as root: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc;"
                f" cat /usr/lib/binfmt.d/qemu-{qemu}.conf >/proc/sys/fs/binfmt_misc/register"
            ) from error


def _extract(tar: tarfile.TarFile, paths: Sequence[str], target: Path) -> None:
    for member in tar:
        if member.name in paths and (source := tar.extractfile(member)):
            with target.open("wb") as file:
                shutil.copyfileobj(source, file)
            target.chmod(0o755)
            return
    raise ImageError(f"{_BUSYBOX}: has no {paths[0]}")
