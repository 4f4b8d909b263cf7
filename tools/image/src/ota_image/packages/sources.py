# SPDX-License-Identifier: Apache-2.0
"""Finds the Debian archives that this machine's apt knows, in its configuration.

Source: sources.list(5).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ota_image.errors import ImageError

_COMPONENTS = ("main", "contrib", "non-free", "non-free-firmware")
_KEPT = ("signed-by", "trusted", "check-valid-until", "valid-until-max", "check-date")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


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


def archives(
    release: str, mirrors: Sequence[str] = (), components: Sequence[str] = ()
) -> tuple[Archive, ...]:
    """The archives to take packages of a release from.

    Args:
        mirrors: from ``--mirror``; by default those that the machine's own apt knows.
        components: needed in addition to the archives' own, such as ``non-free-firmware``.

    Raises:
        ImageError: there is none.
        OSError: the machine's configuration cannot be read.
    """
    found = chosen_archives(mirrors, release) or host_archives(release)
    return tuple(
        replace(each, components=tuple(dict.fromkeys((*each.components, *components))))
        for each in found
    )


def host_archives(release: str, folder: Path = Path("/etc/apt")) -> tuple[Archive, ...]:
    """The Debian archives of a release that the machine's own apt knows, in its order.

    An entry of another suite, or without any of Debian's components, is left out: it is a vendor's.

    Raises:
        ImageError: there is none.
        OSError: the configuration cannot be read.
    """
    parts = folder / "sources.list.d"
    lists = [folder / "sources.list", *sorted(parts.glob("*.list"))]
    found = [each for path in lists if path.is_file() for each in from_lines(path.read_text())]
    for path in sorted(parts.glob("*.sources")):
        found += from_stanzas(path.read_text("utf-8"))
    archives = tuple(kept for each in found if (kept := _of_release(each, release)))
    if not archives:
        raise ImageError(
            f"{folder}: names no Debian archive of {release}; name one, for example with"
            " --mirror http://HOST/debian"
        )
    return tuple(dict.fromkeys(archives))


def chosen_archives(texts: Sequence[str], release: str) -> tuple[Archive, ...]:
    """The archives of options: ``URL [SUITE [COMPONENT...]]``.

    Without a suite it is the release with its updates. If no option names the suite of the security
    updates, that is taken from where Debian's mirrors have it: ``…/debian-security`` next to
    ``…/debian``.

    Raises:
        ImageError: one has no URL.
    """
    found = [_chosen(text, release) for text in texts]
    if not has_security(found):
        for each in tuple(found):
            url = each.uris[0].rstrip("/")
            if f"{release}-updates" in each.suites and url.endswith("/debian"):
                suites = (f"{release}-security",)
                found.append(replace(each, uris=(f"{url}-security",), suites=suites))
    return tuple(found)


def has_security(archives: Sequence[Archive]) -> bool:
    """Whether the security updates are among archives."""
    return any(is_security(suite) for each in archives for suite in each.suites)


def is_security(suite: str) -> bool:
    """Whether a suite has security updates; before Debian 11 it was NAME/updates."""
    return suite.endswith(("-security", "/updates"))


def _chosen(text: str, release: str) -> Archive:
    url, *rest = text.split() or [""]
    if not re.match(r"[a-z+]+:/", url):
        raise ImageError(f"--mirror {text!r}: is not a URL; write it as 'http://HOST/debian'")
    options = (("signed-by", str(_KEYRING)),) if _KEYRING.exists() else ()
    suites = (rest[0],) if rest else (release, f"{release}-updates")
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


def _of_release(archive: Archive, release: str) -> Archive | None:
    ours = (release, f"{release}-updates", f"{release}-security", f"{release}/updates")
    suites = tuple(suite for suite in archive.suites if suite in ours)
    components = tuple(each for each in archive.components if each in _COMPONENTS)
    if not suites or not components:
        return None
    options = tuple((name, value) for name, value in archive.options if name in _KEPT)
    return Archive(uris=archive.uris, suites=suites, components=components, options=options)
