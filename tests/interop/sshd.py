# SPDX-License-Identifier: Apache-2.0
"""A program that would start a server if its package were installed: sshd, unpacked for that."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import key_of, make_once

_PACKAGE = "openssh-server"
_SBIN = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
_DOWNLOAD = """\
cd "$0" && apt-get download --quiet "$@"
for file in ./*.deb; do dpkg-deb --extract "$file" . && rm "$file"; done
"""
_WITH_USERS = 'mount --bind "$0" /etc/passwd && exec "$@"'
_USERS = Path("/etc/passwd")
_HELPERS = {"SshdSessionPath": "sshd-session", "SshdAuthPath": "sshd-auth"}  # OpenSSH 9.8, 10.0


def find_sshd() -> Path:
    """sshd of this machine, or else of Debian's package, unpacked into the cache.

    Raises:
        ProgramError: it is not installed, and cannot be downloaded; or root lacks its user, and
            cannot mount one, as in a chroot whose root is not a mount point.
    """
    if _lacks_user():
        run(("unshare", "--mount", "true"), timeout=10)
    installed = shutil.which("sshd", path=_SBIN)
    return Path(installed) if installed else unpacked_sshd()


def unpacked_sshd() -> Path:
    """sshd of Debian's package and the libraries that this machine lacks, unpacked into the cache.

    Raises:
        ProgramError: it cannot be downloaded.
    """
    packages = (_PACKAGE, *_missing_libraries())
    where = run(("apt-get", "download", "--print-uris", *packages), timeout=60)
    with make_once(f"unpacked/{_PACKAGE}-{key_of(where)}") as (folder, workplace):
        if workplace:
            run(("sh", "-e", "-c", _DOWNLOAD, workplace, *packages), timeout=600)
    return folder / "usr/sbin/sshd"


def _missing_libraries() -> list[str]:
    """The packages with libraries that would be installed with sshd."""
    words = ("apt-get", "install", "--simulate", "--no-install-recommends", _PACKAGE)
    said = run(words, timeout=60, environment={"LC_ALL": "C.UTF-8"}).decode()
    return re.findall(r"^Inst (lib\S+)", said, re.MULTILINE)


def start_of(sshd: Path) -> tuple[str, ...]:
    """The words that start it, with the libraries that were unpacked with it."""
    tree = sshd.parents[2]
    folders = sorted({str(path.parent) for path in tree.glob("usr/lib/*/*.so*")})
    if tree == Path("/") or not folders:
        return (str(sshd),)
    return ("env", f"LD_LIBRARY_PATH={os.pathsep.join(folders)}", str(sshd))


def settings_of(sshd: Path) -> str:
    """Lines of its configuration that say where its helpers are."""
    folder = sshd.parents[1] / "lib/openssh"
    return "".join(
        f"{option} {folder / name}\n"
        for option, name in _HELPERS.items()
        if (folder / name).exists()
    )


def _lacks_user() -> bool:
    return os.getuid() == 0 and "\nsshd:" not in _USERS.read_text("utf-8")


@contextmanager
def started_by_root(sshd: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """The words that start it, with what it insists on if root starts it.

    That is an empty folder, which its service would make, and a user of its own, which its package
    would make: here it is in a copy of /etc/passwd that this process alone sees.

    Args:
        folder: for the copy.
    """
    if os.getuid() != 0:
        yield start_of(sshd)
        return
    words = start_of(sshd)
    if _lacks_user():
        users = folder / "passwd"
        line = "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
        users.write_text(_USERS.read_text("utf-8") + line, "utf-8")
        words = ("unshare", "--mount", "sh", "-c", _WITH_USERS, str(users), *words)
    separation = Path("/run/sshd")
    is_missing = not separation.exists()
    if is_missing:
        separation.mkdir(mode=0o755)
    yield words
    if is_missing:
        separation.rmdir()
