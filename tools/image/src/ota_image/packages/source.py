# SPDX-License-Identifier: Apache-2.0
"""Takes Debian source packages, unpacked, into the cache."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ota_artifact.run import run
from ota_image.cache import make_once, one_error_if_full
from ota_image.packages.apt import AptRoot
from ota_image.packages.sources import archives
from ota_image.progress import Say

RELEASE = "bookworm"
"""The release that source packages come from by default."""


def source_package(
    name: str,
    into: Path | None = None,
    *,
    release: str = RELEASE,
    mirrors: Sequence[str] = (),
    say: Say = lambda text: None,
) -> Path:
    """The unpacked tree of a Debian source package, with its patches applied.

    Args:
        into: a folder for a copy of the tree, which the caller owns. By default the tree is in the
            cache and must not be changed.

    Raises:
        ImageError: there is no archive, or no such package.
        ProgramError: the archive cannot be reached, or dpkg-source fails.
        OSError: no space.
    """
    apt = AptRoot(_host_arch(), archives(release, mirrors), kind="deb-src", say=say)
    files = apt.source(name)
    description = next(each for each in files if each.name.endswith(".dsc"))
    with make_once(f"source/{name}-{description.sha256[:16]}") as (folder, workplace):
        if workplace:
            say(f"downloading the source of {name}, {sum(f.size for f in files) / 1e6:.1f} MB")
            apt.fetch({workplace / each.name: (each.uri, each.sha256) for each in files})
            dsc = workplace / description.name
            argv = ("dpkg-source", "--no-check", "-x", dsc, workplace / "tree")
            run(argv, timeout=600, environment={"LC_ALL": "C.UTF-8"})
            for each in files:
                (workplace / each.name).unlink()
    if into is None:
        return folder / "tree"
    with one_error_if_full(into):
        return Path(shutil.copytree(folder / "tree", into / name, symlinks=True))


def _host_arch() -> str:
    return run(("dpkg", "--print-architecture"), timeout=30).decode().strip()
