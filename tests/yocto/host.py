# SPDX-License-Identifier: Apache-2.0
"""What BitBake needs of the machine that it runs on, as marks of pytest.

`make test-yocto` installs it on Debian, from the list debian-packages.txt next to this file.
"""

import locale
import shutil
from collections.abc import Mapping

import pytest

from tests.conftest import TREE_IS_OPEN
from tests.yocto.bitbake import RELEASES

LANGUAGE = "en_US.UTF-8"
"""BitBake does not start without this locale, whatever the environment has."""

_OF_OPENEMBEDDED = {
    "chrpath": "chrpath",
    "cpio": "cpio",
    "diffstat": "diffstat",
    "file": "file",
    "g++": "build-essential",
    "gawk": "gawk",
    "lz4c": "lz4",
    "makeinfo": "texinfo",
    "patch": "patch",
    "rpcgen": "rpcsvc-proto",
    "wget": "wget",
    "zstd": "zstd",
}
_OF_THE_SELFTEST = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "apt-ftparchive": "apt-utils",
    "pseudo": "pseudo",
    "pyproject-build": "python3-build python3-installer",
}


def packages(programs: Mapping[str, str]) -> list[str]:
    """The packages of Debian that have the programs that are missing here."""
    return [package for program, package in programs.items() if not shutil.which(program)]


def has_locale(name: str) -> bool:
    """Whether the C library knows a locale."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return True


def _requires(programs: Mapping[str, str]) -> pytest.MarkDecorator:
    wanted = packages(programs) + ([] if has_locale(LANGUAGE) else ["locales-all"])
    lacks = [f"apt-get install {' '.join(wanted)}"] if wanted else []
    if not RELEASES:
        lacks = ["OE_ROOT has no scarthgap and no wrynose: see tests/yocto/bitbake.py"]
    elif not TREE_IS_OPEN:
        lacks.append("the user nobody may not enter this tree: move it out of a closed folder")
    return pytest.mark.skipif(bool(lacks), reason="; ".join(lacks))


requires_bitbake = _requires(_OF_OPENEMBEDDED)
"""A mark for tests that run BitBake; root runs it as the user nobody."""

requires_selftest = _requires({**_OF_OPENEMBEDDED, **_OF_THE_SELFTEST})
"""A mark for tests that build in the distribution of selftest.py."""
