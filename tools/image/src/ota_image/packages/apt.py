# SPDX-License-Identifier: Apache-2.0
"""Runs apt with its own root folder in the cache, for other architectures and source packages.

It takes archives, keys and proxies from the machine's own apt, and never changes that: its hooks do
not run, its lists and its status stay as they are. It does not need to be root.
"""

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_image.cache import cache_folder, key_of, one_error_if_full, open_cache
from ota_image.errors import ImageError, WorldError
from ota_image.packages.complaints import names, reason, with_remedy
from ota_image.packages.configuration import configuration, host_settings
from ota_image.packages.lists import DIGEST, digest_of_lists, has_other_lists, remove_lists
from ota_image.packages.sources import Archive, is_security
from ota_image.progress import Say, run_and_tell
from ota_image.workfolder import own_folder

_FRESH = 3600.0  # [s] until lists are fetched again
_UPDATE_TIME = 600.0  # [s]
_DOWNLOAD_TIME = 3600.0  # [s]
_HELPER = "/usr/lib/apt/apt-helper"
_URI = re.compile(r"^'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})$", re.MULTILINE)
_UNKNOWN = re.compile(
    r"E: (Unable to locate package .*|Package .* has no installation.*|"
    r"Version .* was not found|Unable to find a source package.*|"
    r"Can not find version .* of package .*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of exactly one version.

    Attributes:
        arch: as in the name of its file; can be ``all``.
        sha256: of its file [hex].
        size: of its file [B].
        uri: where the archive has it; empty if only the cache is needed.
    """

    name: str
    version: str
    arch: str
    sha256: str
    size: int = 0
    uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the archive: of a source package, or a package itself."""

    uri: str
    name: str
    size: int
    sha256: str


class AptRoot:
    """The archives, as one architecture sees them.

    Attributes:
        folder: in the cache; it depends on the archives.
        unreached: why none of the archives could be asked, so that the lists are older ones; empty
            if one could, or if none had to be.
    """

    def __init__(
        self,
        arch: str,
        archives: Sequence[Archive],
        *,
        kind: str = "deb",
        is_strict: bool = False,
        trusts_unsigned: bool = False,
        say: Say = lambda text: None,
    ) -> None:
        """Make the folder; this downloads nothing.

        Args:
            arch: Debian's name.
            archives: as `ota_image.packages.sources.archives` finds them.
            kind: ``deb``, or ``deb-src`` for source packages.
            is_strict: a list that cannot be fetched is an error, even if there is an older one.
            trusts_unsigned: take over what the machine's apt says of unsigned lists.

        Raises:
            OSError: the cache cannot be written.
        """
        stanzas = [each.stanza(kind) for each in archives]
        settings = host_settings(trusts_unsigned=trusts_unsigned)
        self._say, self._is_strict = say, is_strict
        self._suites = [suite for each in archives for suite in each.suites]
        self._is_asked = self._is_checked = False
        self._lacking = self.unreached = ""
        self._arch = arch
        key = key_of(arch, *stanzas, settings)
        self.folder = open_cache() / "apt" / f"{arch}-{kind}-{key}"
        self._lists = self.folder / "lists"
        for name in ("sources", "lists/partial", "archives/partial", "preferences"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        _write(self.folder / "sources" / "debian.sources", "\n".join(stanzas))
        _write(self.folder / "status", "")
        _write(self.folder / "apt.conf", configuration(self.folder, arch) + settings)

    def update(self, *, is_stale: bool = False) -> None:
        """Fetch the lists of packages, unless they are less than an hour old and not stale.

        If the root is not strict, a list that cannot be fetched is a warning, and the next root
        asks for it again. Without the list of the security updates, `resolve` fails.

        apt does not compare the lists that it has with what the archive signed: if they are not as
        the last update left them, all are fetched again.

        Raises:
            ProgramError: the archive cannot be reached, or is not signed by a known key.
        """
        stamp = self.folder / "updated"
        with _lock(self.folder / "lock"):
            if not self._is_checked and has_other_lists(self.folder):
                self._say(f"the lists of packages for {self._arch} are not as they were left")
                stamp.unlink(missing_ok=True)
                remove_lists(self.folder)
            self._is_checked = True
            is_fresh = stamp.exists() and 0 <= time.time() - stamp.stat().st_mtime < _FRESH
            if self._is_asked or (is_fresh and not is_stale):
                return
            self._say(f"fetching the list of Debian packages for {self._arch}")
            try:
                self._apt("update", "-o", "APT::Update::Error-Mode=any", timeout=_UPDATE_TIME)
            except ProgramError as error:
                if not [*self._lists.glob("*_Packages*"), *self._lists.glob("*_Sources*")]:
                    raise with_remedy(error) from error
                if self._is_strict:
                    text = f"a list of packages cannot be fetched: {reason(str(error))}"
                    raise ProgramError(f"--locked: {text}; try again, or do without") from error
                failed = {suite for suite in self._suites if names(str(error), suite)}
                self._lacking = self._find_lacking(str(error), failed)
                self.unreached = reason(str(error)) if failed == set(self._suites) else ""
                text = "only some of the package lists could be fetched"
                self._say(f"warning: {text}: {reason(str(error))}")
            else:
                stamp.touch()
            finally:
                _write(self.folder / DIGEST, digest_of_lists(self.folder))
            self._is_asked = True

    def _find_lacking(self, said: str, failed: Collection[str]) -> str:
        """What to say of a suite of security updates that cannot be fetched, if others can.

        Without a network, none can be fetched; an older list, if there is one, is used then.
        """
        for suite in filter(is_security, self._suites):
            name = f"*_dists_{suite.replace('/', '_')}_*"
            lists = self._lists.glob
            is_there = [*lists(f"{name}_Packages*"), *lists(f"{name}_Sources*")]
            if not is_there or (suite in failed and failed != set(self._suites)):
                return (
                    f"{suite}: {reason(said, suite)}; try again later, name another --mirror"
                    f" 'URL {suite}', or do without security updates, with --mirror 'URL SUITE'"
                    " for the others"
                )
        return ""

    def _require_security(self) -> None:
        if self._lacking:
            raise ProgramError(self._lacking)

    def resolve(
        self,
        names: Sequence[str],
        preferred: Sequence[Package] = (),
        *,
        is_exact: bool = False,
    ) -> tuple[Package, ...]:
        """The packages and everything that they depend on, without recommendations, by name.

        Args:
            names: ``name`` or ``name=version``.
            preferred: versions to take, if the archive has them, of what is needed.
            is_exact: all versions are given, and it does not matter which are the newest.

        Raises:
            ImageError: a package is unknown.
            ProgramError: they cannot be installed together, or there is no list of the security
                updates.
        """
        self.update()
        if not is_exact:
            self._require_security()
        words = ("install", "--no-install-recommends", "--print-uris", *names)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=".", suffix=".pref") as file:
            file.writelines(map(_preference, preferred))
            file.flush()
            said = self._ask("-o", f"Dir::Etc::preferences={file.name}", *words)
        return tuple(sorted(map(_package, _files(said)), key=lambda each: each.name))

    def find(self, name: str, version: str) -> Package | None:
        """One package of exactly that version; None if the archive does not have it.

        Raises:
            ProgramError: the archive cannot be reached.
        """
        self.update()
        found = self._find(name, version)
        if found is None and self._ask_again():
            found = self._find(name, version)
        return found

    def _ask_again(self) -> bool:
        """Fetch the lists, if they were only fresh enough: a lock may be newer than they are."""
        is_new = not self._is_asked
        self.update(is_stale=True)
        return is_new

    def _find(self, name: str, version: str) -> Package | None:
        try:
            said = self._ask("download", "--print-uris", f"{name}={version}")
        except ImageError:
            return None
        return next(map(_package, _files(said)), None)

    def source(self, name: str) -> tuple[SourceFile, ...]:
        """The files of a source package: the .dsc and what it lists.

        Args:
            name: ``name`` or ``name=version``.

        Raises:
            ImageError: it is unknown.
            ProgramError: there is no list of the security updates.
        """
        self.update()
        self._require_security()
        try:
            return tuple(_files(self._ask("source", "--print-uris", name)))
        except ImageError:
            if "=" not in name or not self._ask_again():
                raise
        return tuple(_files(self._ask("source", "--print-uris", name)))

    def describe_source(self, name: str, description: SourceFile) -> str:
        """What the index says of a source package: nearly the text of its .dsc.

        Args:
            description: the .dsc among its files.

        Raises:
            ImageError: it is unknown.
            ProgramError: apt fails.
        """
        argv = ("apt-cache", "showsrc", "--only-source", name)
        with _lock(self.folder / "lock"):
            said = run(argv, timeout=120, environment=self._environment).decode()
        for stanza in said.split("\n\n"):
            if f" {description.name}\n" in f"{stanza}\n" and description.sha256 in stanza:
                return stanza.strip("\n") + "\n"
        raise ImageError(f"{name}: the archive does not describe {description.name}")

    def fetch(self, files: Mapping[Path, tuple[str, str]]) -> None:
        """Download files through apt, with its proxies, keys and passwords.

        Args:
            files: URI and SHA-256 [hex], by the path to write to.

        Raises:
            ProgramError: a file cannot be downloaded, or has another digest.
            OSError: no space.
        """
        words = [
            word
            for path, (uri, sha256) in files.items()
            for word in (uri, str(path), f"SHA256:{sha256}")
        ]
        argv = (_HELPER, "download-file", *words)
        with one_error_if_full(next(iter(files)).parent):
            try:
                run_and_tell(
                    argv,
                    silence=_DOWNLOAD_TIME,
                    tell=lambda count: f"downloading file {count} of {len(files)}",
                    say=self._say,
                    start=b"Get:",
                    environment=self._environment,
                )
            except ProgramError as error:
                text = f"{reason(str(error))}; try again, or name another mirror with --mirror"
                raise ProgramError(text) from error

    @property
    def _environment(self) -> dict[str, str]:
        return {"APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def _apt(self, *words: str, timeout: float = 120) -> str:
        argv = ("apt-get", "-qq", "--yes", *words)
        with one_error_if_full(self.folder):
            return run(argv, timeout=timeout, environment=self._environment).decode()

    def _ask(self, *words: str) -> str:
        try:
            with _lock(self.folder / "lock"):
                return self._apt(*words)
        except ProgramError as error:
            unknown = _UNKNOWN.search(str(error))
            if unknown:
                raise ImageError(f"{unknown[1]} for {self._arch} in the archive") from error
            raise


def package_file(package: Package) -> Path:
    """The path of a package in the cache, whether it is there or not."""
    return cache_folder() / "packages" / f"{package.sha256}.deb"


def download(apt: AptRoot, packages: Sequence[Package], say: Say) -> None:
    """Download packages into the cache; each is there whole and verified, or not at all.

    If one cannot be downloaded, or the user has had enough, those that have come stay.

    Raises:
        ProgramError: one cannot be downloaded.
        WorldError: one has another digest.
        OSError: no space in the cache.
    """
    absent = [package for package in packages if not package_file(package).exists()]
    if not absent:
        return
    size = sum(package.size for package in absent)
    say(f"downloading {len(absent)} packages, {size / 1e6:.1f} MB")
    folder = cache_folder() / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    with own_folder(folder) as workplace:
        places = {package: workplace / package.sha256 for package in absent}
        try:
            apt.fetch({place: (each.uri, each.sha256) for each, place in places.items()})
        finally:  # the next try needs only the others
            for package, place in places.items():
                if place.is_file() and digest_of(place) == package.sha256:
                    place.rename(package_file(package))
        for package, place in places.items():
            if place.exists():
                raise WorldError(
                    f"{package.uri}: its SHA-256 differs from the one that the archive lists"
                )


def digest_of(path: Path) -> str:
    """The SHA-256 of a file [hex]."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _preference(package: Package) -> str:
    """Prefer this version to all others. Source: apt_preferences(5)."""
    lines = (f"Package: {package.name}", f"Pin: version {package.version}", "Pin-Priority: 1001")
    return "\n".join(lines) + "\n\n"


def _files(said: str) -> Iterator[SourceFile]:
    for uri, name, size, sha256 in _URI.findall(said):
        yield SourceFile(uri=uri, name=unquote(name), size=int(size), sha256=sha256)


def _package(file: SourceFile) -> Package:
    name, version, rest = file.name.rsplit("_", 2)
    arch = rest.removesuffix(".deb")
    return Package(
        name=name, version=version, arch=arch, sha256=file.sha256, size=file.size, uri=file.uri
    )


def _write(path: Path, text: str) -> None:
    """Write a file unless it has the text already: another process may be reading it."""
    if not path.exists() or path.read_text("utf-8") != text:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).rename(path)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock, once no other process does."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
