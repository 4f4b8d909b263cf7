# SPDX-License-Identifier: Apache-2.0
"""BitBake itself reads the layer: `make test-yocto OE_ROOT=…`, for each release and machine.

bitbake.py says what $OE_ROOT must have. Recipes that the layer does not append to are masked,
which saves minutes. The tests show that the layer parses; they build nothing.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from tests.house.tree import ROOT
from tests.yocto.bitbake import ALONE, MACHINES, RELEASES, masked
from tests.yocto.host import requires_bitbake

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(900),  # [s] a parse on a busy machine
    requires_bitbake,
]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the user nobody can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="ota-bitbake-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.shows("parsed")
@pytest.mark.parametrize("board", MACHINES)
@pytest.mark.parametrize("release", RELEASES)
def test_the_layer_parses(place: Path, release: str, board: str) -> None:
    said = masked(place / "build", release, board).bitbake("-p")

    assert " 0 errors." in said
    assert "ERROR" not in said


@pytest.mark.parametrize("release", RELEASES)
def test_a_misspelt_variable_stops_the_build_and_is_named(place: Path, release: str) -> None:
    build = masked(place / "build", release, "qemu-arm64", 'OTA_SERVER_URL = "https://a"')

    with pytest.raises(ProgramError, match=r"OTA_SERVER_URL \(did you mean OTA_SERVER_URLS"):
        build.bitbake("-p")


@pytest.mark.parametrize("release", RELEASES)
def test_a_compression_that_the_layer_cannot_write_stops_the_build(
    place: Path, release: str
) -> None:
    build = masked(place / "build", release, "qemu-arm64", 'OTA_COMPRESSION = "zstd"')

    with pytest.raises(ProgramError, match="no Python package that writes 'zstd'"):
        build.bitbake("-p")


@pytest.mark.parametrize("release", RELEASES)
def test_what_was_built_is_shared_wherever_the_board_lies_and_not_when_it_differs(
    place: Path, release: str
) -> None:
    def signatures(name: str, folder: Path) -> set[str]:
        """The signatures of all tasks of U-Boot, for a board in a folder."""
        settings = f'{ALONE}\nOTA_BOARDS = "{folder}"'
        masked(place / name, release, "qemu-arm64", settings).bitbake("-S", "none", "u-boot")
        return {each.name for each in (place / name).glob("tmp*/stamps/*/u-boot/*.sigdata.*")}

    shutil.copytree(ROOT / "boards", place / "boards")
    here, there = signatures("here", ROOT / "boards"), signatures("there", place / "boards")
    with (place / "boards" / "qemu-arm64" / "board.yaml").open("a") as board:
        board.write("# another one\n")
    other = signatures("other", place / "boards")

    assert any("do_configure" in each for each in here)
    assert there == here
    assert {each for each in here - other if "do_configure" in each}
    assert not {each for each in here - other if "do_fetch" in each}
