# SPDX-License-Identifier: Apache-2.0
"""The root filesystem that is measured: Debian with a gateway's packages, in 512 MiB of ext4.

About 300 MiB are content, the rest is zeros, as in most images. It is made without root, from the
mirrors and with the proxies of this machine's apt, and kept. Packages change from day to day, and
inodes hold the time at which the image was made, so numbers of two images differ a little. Programs
are compared on one image.
"""

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run

_PACKAGES = ("systemd", "openssh-server", "network-manager", "curl", "python3-minimal")
_SIZE = "512M"
_TIME = "1700000000"  # [s since 1970] any; of files that Debian's own scripts make
_UUID = "5f0c1d3e-9f0b-4c55-8d0a-2b6a4f6f3c11"  # any: of the filesystem, and its directories' hash
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": _TIME, "E2FSPROGS_FAKE_TIME": _TIME, "LC_ALL": "C.UTF-8"}
_TIMEOUT = 1800.0  # [s] for a slow mirror
_APT = Path("/etc/apt")
_SBIN = ("/usr/sbin", "/sbin")  # not on a user's $PATH in Debian


def cache_folder() -> Path:
    """Where images are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ota-kit"


def rootfs(say: Callable[[str], None], *, suite: str = "") -> Path:
    """The image, from the cache or newly made.

    Args:
        say: called with a message before a step that takes long.
        suite: of Debian; by default this machine's.

    Raises:
        ProgramError: a program that makes it is missing, or failed.
        OSError: no space.
    """
    suite = suite or _suite()
    folder = cache_folder()
    image = folder / f"rootfs-{suite}-{key(suite)}.ext4"
    if image.exists():
        return image
    folder.mkdir(parents=True, exist_ok=True)
    say(f"making the image, once, in a minute or more: {image}")
    with tempfile.TemporaryDirectory(prefix=".rootfs-", dir=folder) as work:
        _make(Path(work), suite)
        (Path(work) / "image").replace(image)
    return image


def key(suite: str) -> str:
    """A key that changes when the image must be made again: for this file, suite and machine."""
    recipe = Path(__file__).read_bytes() + f"{suite} {platform.machine()}".encode()
    return hashlib.sha256(recipe).hexdigest()[:12]


def _make(work: Path, suite: str) -> None:
    packed, tree = work / "rootfs.tar", work / "tree"
    run(
        (
            program("mmdebstrap", package="mmdebstrap"),
            "--variant=minbase",
            f"--include={','.join(_PACKAGES)}",
            *(f"--aptopt={line}" for line in _apt_options()),
            suite,
            packed,
            *_mirrors(),
        ),
        timeout=_TIMEOUT,
        environment=_ENVIRONMENT,
    )
    tree.mkdir()
    # Only root can make devices, and keep the owners of files; a compressor does not care.
    run(("tar", "-x", "-f", packed, "-C", tree, "--exclude=./dev/*"), timeout=_TIMEOUT)
    packed.unlink()
    run(
        (
            program("mke2fs", package="e2fsprogs"),
            *("-q", "-F", "-t", "ext4", "-U", _UUID, "-E", f"hash_seed={_UUID}", "-d"),
            *(tree, work / "image", _SIZE),
        ),
        timeout=_TIMEOUT,
        environment=_ENVIRONMENT,
    )


def program(name: str, *, package: str) -> str:
    """The path of a program.

    Raises:
        ProgramError: it is not installed.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN))
    found = shutil.which(name, path=path)
    if not found:
        raise ProgramError(f"{name}: not found; apt-get install {package}")
    return found


def _suite() -> str:
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME")
    if not codename:
        raise ProgramError("/etc/os-release: has no VERSION_CODENAME; name a suite with --suite")
    return codename


def _mirrors() -> Iterator[Path]:
    """The files that name the sources of this machine's packages."""
    folder = _APT / "sources.list.d"
    for path in (_APT / "sources.list", *sorted(folder.glob("*.list"), key=str)):
        if path.exists() and "deb" in path.read_text(encoding="utf-8"):
            yield path
    yield from sorted(folder.glob("*.sources"))


def _apt_options() -> Iterator[str]:
    """The proxy settings of this machine's apt, which mmdebstrap does not read itself."""
    for line in run(("apt-config", "dump"), timeout=60).decode().splitlines():
        option, _, value = line.partition(" ")
        if option.startswith(("Acquire::http", "Acquire::Retries")) and value != '"";':
            yield line
