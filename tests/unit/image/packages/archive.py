# SPDX-License-Identifier: Apache-2.0
"""A Debian archive in a folder, for the real apt."""

import hashlib
from pathlib import Path

from ota_image.packages.apt import AptRoot
from ota_image.packages.sources import Archive


def entry(folder: Path, name: str, version: str, *more: str) -> str:
    """Make a package; gives its entry in the list of an archive."""
    file = folder / f"{name}_{version.replace(':', '%3a')}_arm64.deb"
    file.write_bytes(f"{name} {version}".encode())
    lines = (
        f"Package: {name}",
        f"Version: {version}",
        "Architecture: arm64",
        "Maintainer: Nobody <nobody@example.org>",
        f"Filename: ./{file.name}",
        f"Size: {file.stat().st_size}",
        f"SHA256: {hashlib.sha256(file.read_bytes()).hexdigest()}",
        *more,
        "Description: nothing",
    )
    return "\n".join(lines) + "\n\n"


def root(archive: Path) -> AptRoot:
    """An apt root that knows only that archive."""
    return AptRoot("arm64", [flat(archive)])


def flat(archive: Path) -> Archive:
    """The archive as apt knows it."""
    options = (("trusted", "yes"),)
    return Archive(uris=(f"file:{archive}",), suites=("./",), components=(), options=options)


def suite_in(folder: Path, name: str, text: str) -> Archive:
    """An archive in a folder, with suites; one of them has this list."""
    place = folder / "dists" / name / "main" / "binary-arm64"
    place.mkdir(parents=True)
    (place / "Packages").write_text(text)
    (folder / "dists" / name / "Release").write_text(
        f"Suite: {name}\nArchitectures: arm64\nComponents: main\nSHA256:\n"
        f" {hashlib.sha256(text.encode()).hexdigest()} {len(text)} main/binary-arm64/Packages\n"
    )
    options = (("trusted", "yes"),)
    return Archive(uris=(f"copy:{folder}",), suites=(name,), components=("main",), options=options)
