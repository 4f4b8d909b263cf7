# SPDX-License-Identifier: Apache-2.0
"""A build gives the same bytes, whatever the umask, locale, time zone and settings of its user."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_program
from tests.unit.image.tiny import Tiny, make_tiny

pytestmark = [
    pytest.mark.boot,
    requires_program("debugfs", package="e2fsprogs"),
    requires_program("depmod", package="kmod"),
    requires_program("ar", package="binutils"),
]

PLAIN = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
ODD = {
    # Without UTF-8 mode, Python takes names as ASCII, as it does those of a Latin-1 locale.
    **{"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "PATH": "/usr/bin:/bin",  # of an ordinary user of Debian
    **{"TZ": "<odd>-13:37:42", "GZIP": "-1", "PYTHONHASHSEED": "7"},
    # Programs that we start read these.
    **{"LD_PRELOAD": "/no/such/library.so", "TAR_OPTIONS": "--exclude=*", "MAKEFLAGS": "-n"},
    **{"MKE2FS_CONFIG": "{place}/mke2fs.conf", "MTOOLS_NAME_NUMERIC_TAIL": "0"},
    **{"MTOOLS_NO_VFAT": "1", "MTOOLSRC": "/no/such/file", "APT_CONFIG": "/no/such/file"},
}
CONFIG = """\
[defaults]
blocksize = 1024
inode_size = 128
hash_alg = tea
[fs_types]
ext4 = { features = has_journal,metadata_csum,64bit }
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    place = tmp_path_factory.mktemp("tiny")
    made = make_tiny(place)
    boot = made.boards / "qemu-x86-64" / "boot"
    boot.mkdir()
    (boot / "splash.bin").write_bytes(b"splash")
    return made


@pytest.fixture(scope="module")
def usual(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of what most users get."""
    return build(tiny, tmp_path_factory.mktemp("usual"), "022", PLAIN)


def build(tiny: Tiny, place: Path, umask: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Build with a cache of its own; gives the digest of each file by its name."""
    place = place / "a b%ü"
    (place / "etc" / "grün").mkdir(parents=True)
    (place / "etc" / "grün" / "run").write_bytes(b"#!/bin/sh\n")
    (place / "etc" / "grün" / "run").chmod(0o744)
    (place / "etc" / "grün" / "link").symlink_to("mäßig")
    (place / "mke2fs.conf").write_text(CONFIG, "utf-8")
    tiny.fill(place / "cache")
    run(
        (
            *("sh", "-c", 'umask "$0" && exec "$@"', umask, sys.executable),
            *("-c", "from ota_image.cli.main import entry; entry()", "build", "qemu-x86-64"),
            *tiny.options(),
            *("--locked", "--overlay", place / "etc", "--output", place / "made"),
        ),
        timeout=60,
        environment={
            **{name: value.format(place=place) for name, value in settings.items()},
            "XDG_CACHE_HOME": str(place / "cache"),
        },
    )
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((place / "made").iterdir())
    }


@pytest.mark.parametrize(
    ("umask", "settings"), [("077", PLAIN), ("002", PLAIN), ("022", ODD), ("077", ODD)]
)
def test_a_build_gives_the_same_bytes_for_every_user(
    tiny: Tiny, usual: dict[str, str], tmp_path: Path, umask: str, settings: Mapping[str, str]
) -> None:
    made = build(tiny, tmp_path, umask, settings)

    assert len(usual) == 5  # image, block map, artifact, layout, list of software
    assert made == usual
