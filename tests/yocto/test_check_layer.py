# SPDX-License-Identifier: Apache-2.0
"""The Yocto Project's own check of a layer; $OE_ROOT as in bitbake.py.

yocto-check-layer looks for the documents that a layer must have and for the status of its patches,
lets BitBake parse it, and compares the signatures of all tasks with and without it: a layer that is
merely added must change none. The recipes are those that meta-ota appends to; others are masked,
and dependencies on them are assumed to be provided.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from tests.house.tree import ROOT
from tests.yocto.bitbake import ALONE, MASK, RELEASES, BuildFolder, Configuration, configuration
from tests.yocto.host import requires_bitbake

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(900),  # [s] several parses on a busy machine
    requires_bitbake,
]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user nobody can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="ota-check-layer-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def check(place: Path, release: str, layer: Path) -> str:
    """Run yocto-check-layer on a layer with openembedded-core; gives its output.

    Raises:
        ProgramError: it finds something; the text says what.
    """
    given = configuration(release, "qemu-arm64")
    others = tuple(each for each in given.layers if each != ROOT / "meta-ota")
    settings = re.sub(r"^require .*", "", given.settings, flags=re.MULTILINE)
    build = BuildFolder(place / "build", release)
    build.configure(Configuration(others, settings), f"{MASK}\n{ALONE}")
    words = ("yocto-check-layer", "--no-auto-dependency", str(layer))
    return build.run(words, timeout=840)


@pytest.mark.parametrize("release", RELEASES)
def test_the_layer_passes_the_check_and_changes_nothing_when_added(
    place: Path, release: str
) -> None:
    said = check(place, release, ROOT / "meta-ota")

    assert "meta-ota ... PASS" in said
    assert "test_signatures" in said


@pytest.mark.parametrize("release", RELEASES[:1])
def test_a_layer_that_changes_what_it_is_added_to_is_found(place: Path, release: str) -> None:
    layer = place / "meta-meddling"
    (layer / "conf").mkdir(parents=True)
    (layer / "conf" / "layer.conf").write_text(
        'BBPATH .= ":${LAYERDIR}"\nBBFILES += "${LAYERDIR}/*.bbappend"\n'
        'BBFILE_COLLECTIONS += "meddling"\nBBFILE_PATTERN_meddling = "^${LAYERDIR}/"\n'
        'LAYERDEPENDS_meddling = "core"\n'
        f'LAYERSERIES_COMPAT_meddling = "{release}"\n'
    )
    (layer / "u-boot_%.bbappend").write_text('UBOOT_LOCALVERSION = "-meddling"\n')
    (layer / "README.md").write_text("Maintainer: a@otakit.example; send a patch.\n")
    (layer / "SECURITY.md").write_text("Tell us.\n")

    with pytest.raises(ProgramError, match="u-boot"):
        check(place, release, layer)
