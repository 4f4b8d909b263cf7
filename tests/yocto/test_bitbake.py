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
def test_a_server_without_a_key_stops_the_build_unless_it_is_asked_for(
    place: Path, release: str
) -> None:
    server = 'OTA_SERVER_URLS = "https://a"'

    with pytest.raises(ProgramError, match="set OTA_SIGNING_KEY or OTA_VERIFY_KEYS, or on a bench"):
        masked(place / "build", release, "qemu-arm64", server).bitbake("-p")

    asked = f'{server}\nOTA_UNSIGNED = "1"'
    masked(place / "asked", release, "qemu-arm64", asked).bitbake("-p")


@pytest.mark.parametrize("release", RELEASES)
def test_the_public_half_of_the_signing_key_goes_onto_the_device(place: Path, release: str) -> None:
    key = place / "private.pem"
    key.write_text("not read when the layer is parsed\n")
    key.chmod(0o644)
    settings = f'{ALONE}\nOTA_SIGNING_KEY = "{key}"\nOTA_SERVER_URLS = "https://a"'
    build = masked(place / "build", release, "qemu-arm64", settings)

    said = build.bitbake("-e", "ota-agent-conf")

    native = "python3-ota-artifact-native:do_populate_sysroot"  # whose Python reads the key
    assert f'if [ -n "{key}" ]; then\n        python3 -c' in said
    assert native in said
    other = f'{settings}\nOTA_VERIFY_KEYS = "{key}"'
    said = masked(place / "other", release, "qemu-arm64", other).bitbake("-e", "ota-agent-conf")
    assert 'if [ -n "" ]; then\n        python3 -c' in said
    assert native not in said


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("", ""),
        ('OTA_SERVER_URLS = "https://a"\nOTA_UNSIGNED = "1"', "with OTA_SERVER_URLS"),
        ('MACHINEOVERRIDES:forcevariable = "qemuarm64"', "for a real board"),
        ('MACHINEOVERRIDES:forcevariable = "qemuarm64"\nOTA_OPEN_LOGIN = "1"', ""),
    ],
    ids=("qemu", "server", "board", "asked"),
)
def test_an_image_without_a_password_is_made_for_qemu_alone_unless_it_is_asked_for(
    place: Path, release: str, settings: str, reason: str
) -> None:
    build = masked(place / "build", release, "qemu-arm64", f"{ALONE}\n{settings}")

    if reason:
        with pytest.raises(ProgramError, match=f"empty-root-password: anyone could .*{reason}"):
            build.bitbake("-e", "ota-image-demo")
    else:
        assert "empty-root-password" in build.bitbake("-e", "ota-image-demo")
    build.bitbake("-e", "ota-image-minimal")


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
