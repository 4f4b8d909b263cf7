# SPDX-License-Identifier: Apache-2.0
"""An image on a used card: the blocks of its map are written, and it boots."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.reader import open_artifact
from ota_artifact.run import run
from ota_image.cli.main import main
from tests.conftest import requires_program
from tests.system.images import Image, image_of
from tests.system.running import running

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("losetup", package="mount"),
    requires_program("ssh", package="openssh-client"),
]

OLD = b"\xa5"
"""The old content of the card."""

_PIECE = 1 << 20  # [B]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return image_of("qemu-arm64", tmp_path / "built")


@pytest.fixture
def card(tmp_path: Path, image: Image) -> Iterator[Path]:
    """A loop device of the image's size, full of something else."""
    backing = tmp_path / "card"
    with backing.open("wb") as file:
        for _ in range(image.board.storage.size // _PIECE):
            file.write(OLD * _PIECE)
    try:
        said = run(("losetup", "--find", "--show", backing), timeout=10)
    except ProgramError as error:
        pytest.skip(f"no loop device here: {error}")
    device = said.decode().strip()
    yield Path(device)
    run(("losetup", "--detach", device), timeout=10)


def digest(path: Path, offset: int, size: int) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(offset)
        for _ in range(size // _PIECE):
            found.update(file.read(_PIECE))
    return found.hexdigest()


def test_flashed_by_its_map_onto_a_used_card_the_image_is_sound_and_boots(
    image: Image, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = image.board.layout

    assert main(["flash", str(image.built.image), str(card), "--yes"]) == 0

    with card.open("rb") as file:
        file.seek(layout.partition("B").end - len(OLD))
        assert file.read(len(OLD)) == OLD  # blocks outside the map were not written
    for name in ("A", "B", "data"):
        part = f"{card}?offset={layout.partition(name).offset}"
        run(("e2fsck", "-f", "-n", part), timeout=60)
    capsys.readouterr()
    words = ["doctor", str(card), "--board", image.board.name, "--artifact"]
    assert main([*words, str(image.built.artifact)]) == 0, capsys.readouterr().out
    slot = layout.partition("A")
    with image.built.artifact.open("rb") as artifact:
        for payload in open_artifact(artifact).payloads():
            for each in payload.files():
                assert (each.size, each.sha256) == (slot.size, digest(card, slot.offset, slot.size))

    with running(image.board, card, image.firmware, image.key) as board:
        board.comes_up_on("A")
        assert board.variables()["mender_saveenv_canary"] == "1"
