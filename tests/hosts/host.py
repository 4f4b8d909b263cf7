# SPDX-License-Identifier: Apache-2.0
"""A host in a folder: another release of Debian, or Ubuntu, with users who have a clone."""

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ota_artifact.output import put
from ota_artifact.run import run, stream
from ota_image.packages.sources import VARIABLE
from tests.house.tree import ROOT

_MINIMUM = ("apt", "ca-certificates", "git", "make", "python3", "sudo")
"""What the README asks of a machine, and a way to become root."""

_SILENCE = 7200.0  # [s] a run of all tests may print nothing for long
_DOWNLOADS = 3600.0  # [s]
_OF_APT = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries")
_CERTIFICATES = Path("usr/local/share/ca-certificates")
_KEPT = (Path("etc/resolv.conf"), Path("etc/hosts"), Path("etc/pip.conf"))
"""What the machine's network needs; its proxies are in apt's and pip's configuration."""

_INSIDE = """\
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
mount --rbind /dev "$1/dev"
chroot "$1" su - "$2" -c "$3"
"""
"""Runs in its own namespaces of mounts and processes: however it ends, nothing stays of either."""


@dataclass(frozen=True, slots=True)
class Host:
    """A release of a distribution.

    Attributes:
        name: for the table.
        suite: its code name.
        components: of its archive.
    """

    name: str
    suite: str
    components: str


HOSTS = {
    "debian-12": Host("Debian 12", "bookworm", "main"),
    "debian-13": Host("Debian 13", "trixie", "main"),
    "ubuntu-24.04": Host("Ubuntu 24.04", "noble", "main universe"),
}


@dataclass(frozen=True, slots=True)
class User:
    """The user of a trial.

    Attributes:
        title: for the table.
        account: the name of the account.
        first: what the shell does first.
    """

    title: str
    account: str
    first: str = ""


USERS = {
    "root": User("root", "root"),
    "sudo": User("with sudo", "dev"),
    "plain": User("without sudo, once the packages are there", "guest"),
    "umask": User("with sudo, umask 077", "careful", "umask 077; "),
}
"""Each has a home of its own, and so begins with an empty cache."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A host that was made."""

    folder: Path

    def clone(self, user: str) -> None:
        """Give a user a fresh clone of what is committed, and an empty cache."""
        account = USERS[user].account
        home = Path("/root") if account == "root" else Path("/home", account)
        inside = self.folder / home.relative_to("/")
        for name in ("ota", ".cache"):
            shutil.rmtree(inside / name, ignore_errors=True)
        run(("git", "clone", "--quiet", f"file://{ROOT}", inside / "ota"), timeout=600)
        owner = ("chown", "-R", f"{account}:", home / "ota")
        run(("chroot", self.folder, *owner), timeout=600)

    def do(self, user: str, command: str, log: Path) -> int:
        """Run a command in the clone of a user, as at a login; gives its exit code.

        Our own OTA_MIRROR is theirs: a host that is not Debian has no archive for images.
        """
        mirror = os.environ.get(VARIABLE, "")
        first = f"export {VARIABLE}={shlex.quote(mirror)}; " if mirror else ""
        line = f"{first}{USERS[user].first}cd ota && {command}"
        words = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", _INSIDE)
        argv = (*words, "sh", self.folder, USERS[user].account, f"{{ {line}; }} 2>&1")
        with log.open("wb") as file:
            return stream(argv, silence=_SILENCE, sink=partial(put, file)).code


def archives(host: Host, mirror: str | None) -> list[str]:
    """Lines for sources.list: of a mirror, or of the machine's own Debian archives.

    Raises:
        ValueError: the machine has none for the host.
        ProgramError: apt fails.
    """
    if mirror:
        url = mirror.rstrip("/")
        security = f"{url}-security" if url.endswith("/debian") else url
        found = [(url, ""), (url, "-updates"), (security, "-security")]
    else:
        form = ("--format", "$(ORIGIN) $(REPO_URI) $(CODENAME)", "Created-By: Packages")
        said = run(("apt-get", "indextargets", *form), timeout=60).decode().splitlines()
        own = [line.split() for line in dict.fromkeys(said) if line.startswith("Debian ")]
        found = [(url, suite[len(suite.partition("-")[0]) :]) for _, url, suite in own]
        if not found or not host.name.startswith("Debian"):
            raise ValueError(f"apt has no archive of {host.name} here; name one with --mirror URL")
    return [f"deb {url} {host.suite}{kind} {host.components}" for url, kind in found]


def make(folder: Path, host: Host, sources: Sequence[str], keyring: Path | None) -> Machine:
    """Make a host, unless it is there; a host that was made only in part is made again.

    Raises:
        ProgramError: mmdebstrap is missing, or fails.
    """
    if (folder / "made").exists():
        return Machine(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = [f"--aptopt={line}" for line in _apt_settings()]
    options += [f"--keyring={keyring}"] if keyring else []
    include = f"--include={','.join(_MINIMUM)}"
    words = ("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", include, *options)
    run((*words, host.suite, folder, *sources), timeout=_DOWNLOADS)
    _settle(folder)
    (folder / "made").touch()
    return Machine(folder)


def _apt_settings() -> list[str]:
    said = run(("apt-config", "dump"), timeout=60).decode().splitlines()
    return [line.rstrip(";") for line in said if line.startswith(_OF_APT) and '""' not in line]


def _settle(folder: Path) -> None:
    """Let the host use the machine's network, start no servers, and give it its users."""
    for path in _KEPT:
        if (Path("/") / path).exists():
            (folder / path).unlink(missing_ok=True)
            shutil.copy(Path("/") / path, folder / path)
    if (Path("/") / _CERTIFICATES).is_dir():
        shutil.copytree(Path("/") / _CERTIFICATES, folder / _CERTIFICATES, dirs_exist_ok=True)
    run(("chroot", folder, "update-ca-certificates"), timeout=300)
    policy = folder / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    for user in USERS.values():
        if user.account == "root":
            continue
        run(("chroot", folder, "useradd", "-m", "-s", "/bin/bash", user.account), timeout=60)
        if "with sudo" in user.title:
            rule = folder / "etc/sudoers.d" / user.account
            rule.write_text(f"{user.account} ALL=(ALL) NOPASSWD: ALL\n")
            rule.chmod(0o440)
