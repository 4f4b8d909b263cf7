# SPDX-License-Identifier: Apache-2.0
"""Finds the Debian archives to take packages from.

They are those of the options, of the environment, of a file, or those that this machine's apt
knows, in this order. Source: sources.list(5).
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ota_artifact.own_text import read_text
from ota_artifact.run import run
from ota_image.errors import ImageError

_COMPONENTS = ("main", "contrib", "non-free", "non-free-firmware")
_KEPT = ("signed-by", "valid-until-max")
_UNSAFE = (
    *("trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure"),
    *("check-valid-until", "check-date", "date-max-future", "valid-until-min"),
)
"""Options with which apt takes a list that nobody has signed, or an old one."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SUITES = (
    *("oldoldstable", "oldstable", "stable", "testing", "unstable"),
    *("bullseye", "bookworm", "trixie", "forky", "duke", "sid"),
)
"""Names by which a machine's apt may know Debian; its mirror has the other suites too."""

VARIABLE = "OTA_MIRROR"
"""Environment variable with mirrors as in ``--mirror``, separated by semicolons."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where packages come from.

    Attributes:
        mirrors: from ``--mirror``; by default as `archives` finds them.
        is_locked: take exactly the packages of the lock, or fail.
        trusts_unsigned: take over what the machine's apt says of lists that are unsigned or old.
    """

    mirrors: tuple[str, ...] = ()
    is_locked: bool = False
    trusts_unsigned: bool = False


ANY_SOURCE = Source()
"""The usual mirrors. A package that they no longer have is replaced by a newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One archive, as in apt's configuration.

    Attributes:
        options: such as ``signed-by``, by lower-case name; a value can have several lines.
    """

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def stanza(self, kind: str) -> str:
        """The archive in deb822 form, for ``deb`` or ``deb-src``."""
        lines = [
            f"Types: {kind}",
            f"URIs: {' '.join(self.uris)}",
            f"Suites: {' '.join(self.suites)}",
            *((f"Components: {' '.join(self.components)}",) if self.components else ()),
            *(f"{name.title()}: {value}" for name, value in self.options),
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Mirrors that the user chose, each ``URL [SUITE [COMPONENT...]]``, and where."""

    place: str
    texts: tuple[str, ...]


def host_arch() -> str:
    """Debian's name of this machine's architecture.

    Raises:
        ProgramError: dpkg is missing.
    """
    return run(("dpkg", "--print-architecture"), timeout=30).decode().strip()


def archives(
    suite: str,
    mirrors: Sequence[str] = (),
    components: Sequence[str] = (),
    *,
    trusts_unsigned: bool = False,
) -> tuple[Archive, ...]:
    """The archives to take packages of a suite from.

    Args:
        mirrors: from ``--mirror``; by default those of `chosen_mirrors`, or else those that the
            machine's own apt knows.
        components: needed in addition to the archives' own, such as ``non-free-firmware``.
        trusts_unsigned: keep the options of the machine's apt for lists that are unsigned or old.

    Raises:
        ImageError: there is none.
        OSError: the machine's configuration cannot be read.
    """
    chosen = chosen_mirrors(mirrors)
    found = chosen_archives(chosen, suite) if chosen.texts else host_archives(suite)
    return tuple(
        replace(
            each if trusts_unsigned else _safe(each),
            components=tuple(dict.fromkeys((*each.components, *components))),
        )
        for each in found
    )


def unsafe_options(archives: Sequence[Archive]) -> tuple[str, ...]:
    """The options of archives with which a list need not be signed, or may be old."""
    return tuple(
        f"{name}={value} of {' '.join(each.suites)}"
        for each in archives
        for name, value in each.options
        if name in _UNSAFE
    )


def _safe(archive: Archive) -> Archive:
    options = tuple(each for each in archive.options if each[0] not in _UNSAFE)
    return replace(archive, options=options)


def chosen_mirrors(options: Sequence[str] = ()) -> Mirrors:
    """The mirrors of the options, else of the environment, else of the user's file.

    Source: XDG Base Directory Specification: a relative path is to be ignored.

    Raises:
        OSError: the file cannot be read.
    """
    if options:
        return Mirrors("--mirror", tuple(options))
    if set_there := _parts(os.environ.get(VARIABLE, "").split(";")):
        return Mirrors(f"${VARIABLE}", set_there)
    path = mirrors_file()
    lines = read_text(path).splitlines() if path.is_file() else []
    return Mirrors(str(path), _parts(line.partition("#")[0] for line in lines))


def mirrors_file() -> Path:
    """The user's file with mirrors, one a line, whether it is there or not."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".config") / "ota-kit" / "mirrors"


def _parts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text.strip())


def host_archives(suite: str, folder: Path = Path("/etc/apt")) -> tuple[Archive, ...]:
    """The Debian archives of a suite that the machine's own apt knows, in its order.

    An entry of another suite, or without any of Debian's components, is left out: it is a vendor's.
    If no entry has the suite, the mirror of another suite of Debian serves: it has all of them.

    Raises:
        ImageError: there is none.
        OSError: the configuration cannot be read.
    """
    parts = folder / "sources.list.d"
    lists = [folder / "sources.list", *sorted(parts.glob("*.list"))]
    texts = (path.read_text("utf-8", "replace") for path in lists if path.is_file())
    found = [each for text in texts for each in from_lines(text)]
    for path in sorted(parts.glob("*.sources")):
        found += from_stanzas(path.read_text("utf-8", "replace"))
    kept = [kept for each in found if (kept := _of_suite(each, suite, suite))]
    if not kept:
        own = (_of_suite(each, other, suite) for other in _SUITES for each in found)
        debians = [_with_updates(each, suite) for each in own if each and _is_debians(each)]
        kept = _with_security(debians, suite)
    if not kept:
        raise ImageError(
            f"{folder}: names no Debian archive; choose a mirror, for example from"
            f" debian.org/mirror/list, and write it into {mirrors_file()} as the line"
            f" 'http://HOST/debian', set {VARIABLE}=http://HOST/debian, or give"
            " --mirror http://HOST/debian"
        )
    return tuple(dict.fromkeys(kept))


def chosen_archives(mirrors: Mirrors, suite: str) -> tuple[Archive, ...]:
    """The archives of chosen mirrors.

    Without a suite it is the release with its updates. If none names the suite of the security
    updates, that is taken from where Debian's mirrors have it: ``…/debian-security`` next to
    ``…/debian``.

    Raises:
        ImageError: one has no URL.
    """
    found = [_chosen(text, suite, mirrors.place) for text in mirrors.texts]
    return tuple(_with_security(found, suite))


def _with_updates(archive: Archive, suite: str) -> Archive:
    """Add the suite of updates: sid and testing have none, and their mirror has it."""
    updates = f"{suite}-updates"
    if suite not in archive.suites or updates in archive.suites:
        return archive
    return replace(archive, suites=(*archive.suites, updates))


def _with_security(found: Sequence[Archive], suite: str) -> list[Archive]:
    """Add the security updates, if none has them and a mirror has them where Debian has them."""
    added = []
    if not has_security(found):
        for each in found:
            for uri in each.uris:
                url = uri.rstrip("/")
                if f"{suite}-updates" in each.suites and url.endswith("/debian"):
                    suites = (f"{suite}-security",)
                    added.append(replace(each, uris=(f"{url}-security",), suites=suites))
    return [*found, *added]


def has_security(archives: Sequence[Archive]) -> bool:
    """Whether the security updates are among archives."""
    return any(is_security(suite) for each in archives for suite in each.suites)


def is_security(suite: str) -> bool:
    """Whether a suite has security updates; before Debian 11 it was NAME/updates."""
    return suite.endswith(("-security", "/updates"))


def _chosen(text: str, suite: str, place: str) -> Archive:
    url, *rest = text.split() or [""]
    if not re.match(r"[a-z+]+:/", url):
        raise ImageError(f"{place}: {text!r} is not a URL; write it as 'http://HOST/debian'")
    options = (("signed-by", str(_KEYRING)),) if _KEYRING.exists() else ()
    suites = (rest[0],) if rest else (suite, f"{suite}-updates")
    return Archive(
        uris=(url,), suites=suites, components=tuple(rest[1:]) or ("main",), options=options
    )


def from_lines(text: str) -> Iterator[Archive]:
    """The archives in a file of one-line entries; other lines are skipped."""
    form = r"deb(?:-src)?\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^#\s]+)*)\s*(?:#.*)?"
    for line in text.splitlines():
        match = re.fullmatch(form, line.strip())
        if match:
            words = (word.partition("=") for word in (match[1] or "").split())
            options = tuple((name.lower(), value) for name, _, value in words if name)
            yield Archive(
                uris=(match[2],),
                suites=(match[3],),
                components=tuple(match[4].split()),
                options=options,
            )


def from_stanzas(text: str) -> Iterator[Archive]:
    """The archives in a file in deb822 form; disabled ones are skipped."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields = {
            match[1].lower(): match[2].strip("\n").strip(" \t")
            for match in re.finditer(r"^([^\s:]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        }
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "0")
        if enabled and {"uris", "suites"} <= fields.keys():
            yield Archive(
                uris=tuple(fields["uris"].split()),
                suites=tuple(fields["suites"].split()),
                components=tuple(fields.get("components", "").split()),
                options=tuple(fields.items()),
            )


def _of_suite(archive: Archive, own: str, wanted: str) -> Archive | None:
    """What an archive has of a suite and its updates, under the names of a wanted suite."""
    names = {
        own: wanted,
        f"{own}-updates": f"{wanted}-updates",
        f"{own}-security": f"{wanted}-security",
        f"{own}/updates": f"{wanted}/updates" if own == wanted else f"{wanted}-security",
    }
    suites = tuple(names[suite] for suite in archive.suites if suite in names)
    components = tuple(each for each in archive.components if each in _COMPONENTS)
    if not suites or not components:
        return None
    options = tuple((name, value) for name, value in archive.options if name in (*_KEPT, *_UNSAFE))
    return Archive(uris=archive.uris, suites=suites, components=components, options=options)


def _is_debians(archive: Archive) -> bool:
    """Whether an archive is Debian's own: vendors have keys of their own, and not every suite."""
    options = dict(archive.options)
    return "debian-archive" in options.get("signed-by", "debian-archive")
