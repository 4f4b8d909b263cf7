# SPDX-License-Identifier: Apache-2.0
"""Debian's package of Mender's client, unpacked and not installed."""

import tarfile
from pathlib import Path

from ota_image.cache import key_of, make_once
from ota_image.packages.apt import AptRoot, download
from ota_image.packages.deb import open_deb, verify_file
from ota_image.packages.sources import archives, host_arch

_PACKAGE = "mender-client"
_SUITE = "bookworm"
_WANTED = ("usr/bin/mender", "usr/share/mender/", "usr/share/doc/mender-client/examples/")


def unpack_client() -> Path:
    """Unpack the client, its update modules and artifact generators; gives a folder of the cache.

    Raises:
        ImageError: there is no such package.
        ProgramError: the archive cannot be reached.
    """
    apt = AptRoot(host_arch(), archives(_SUITE))
    (package,) = (each for each in apt.resolve([_PACKAGE]) if each.name == _PACKAGE)
    key = key_of(package.sha256, *_WANTED)
    with make_once(f"unpacked/{_PACKAGE}-{key}") as (folder, workplace):
        if workplace:
            download(apt, [package], print)
            with open_deb(verify_file(package)) as tar:
                for member in tar:
                    _unpack(tar, member, workplace)
    return folder


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = member.name.removeprefix("./")
    content = tar.extractfile(member) if member.isreg() and name.startswith(_WANTED) else None
    if content:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.read())
        target.chmod(member.mode)
