# SPDX-License-Identifier: Apache-2.0
"""What a block map holds: enough for a card that was full of something else."""

import os
from pathlib import Path

import pytest

from ota_artifact.errors import ProgramError
from ota_artifact.image.ext4 import ExtFilesystem
from ota_artifact.image.vfat import FatFilesystem
from ota_artifact.run import run
from ota_board.board import Board
from ota_board.environment import decode
from ota_image.disk.bmap import BlockMap, Range, make_map, mapped, read_map, to_xml
from ota_image.disk.compose import Parts
from ota_image.errors import ImageError
from tests.conftest import requires_program
from tests.unit.image.disk.small import (
    MIB,
    OLD,
    composed,
    ext4,
    small_board,
    tree,
    variables,
)

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]


@pytest.fixture(params=["qemu-arm64", "qemu-x86-64"])
def board(tmp_path: Path, request: pytest.FixtureRequest) -> Board:
    return small_board(tmp_path, request.param)


@pytest.fixture
def image(tmp_path: Path, board: Board) -> Path:
    rootfs = ext4(tmp_path / "rootfs.ext4", tree(tmp_path / "tree"))
    data = tree(tmp_path / "data", {"zeros": bytes(MIB)})
    files = {"/zeros": bytes(100_000), "/EFI/BOOT/bootaa64.efi": b"EFI" * 1000}
    return composed(
        tmp_path,
        board.layout,
        Parts(rootfs=rootfs, variables=variables(board), boot={**files}, data=data),
    )


@pytest.fixture
def card(image: Path) -> Path:
    """A card that was full of something else, on which only what is mapped was written."""
    path = image.with_name("card")
    path.write_bytes(OLD * image.stat().st_size)
    with image.open("rb") as source, path.open("r+b") as target:
        for start, end in read_map(Path(f"{image}.bmap")).spans():
            source.seek(start)
            target.seek(start)
            target.write(source.read(end - start))
    return path


@pytest.mark.boot
def test_a_card_of_before_becomes_a_sound_disk(
    board: Board, image: Path, card: Path, tmp_path: Path
) -> None:
    layout, new = board.layout, card.read_bytes()

    assert OLD * 4096 in new
    assert (
        new[: layout.partition("boot").offset]
        == image.read_bytes()[: layout.partition("boot").offset]
    )
    slot = layout.partition("A")
    assert new[slot.offset : slot.end] == (tmp_path / "rootfs.ext4").read_bytes()
    for name in ("A", "B", "data"):
        ExtFilesystem(card, layout.partition(name).offset).check()
    boot = layout.partition("boot")
    (tmp_path / "boot").write_bytes(new[boot.offset : boot.end])
    run(("fsck.vfat", "-n", tmp_path / "boot"), timeout=10)
    for area in layout.environment:
        assert decode(new[area.offset : area.end], is_redundant=True)
    run(("sfdisk", "--verify", card), timeout=10)


def test_zeros_in_files_are_mapped_too(board: Board, card: Path, tmp_path: Path) -> None:
    data = ExtFilesystem(card, board.layout.partition("data").offset)

    data.read_file("/zeros", tmp_path / "zeros")
    boot = board.layout.partition("boot")
    FatFilesystem(card, boot.offset, boot.size).read_file("/zeros", tmp_path / "boot-zeros")

    assert (tmp_path / "zeros").read_bytes() == bytes(MIB)
    assert (tmp_path / "boot-zeros").read_bytes() == bytes(100_000)


def test_a_map_is_the_same_wherever_the_hosts_filesystem_has_its_holes(
    board: Board, image: Path
) -> None:
    before = mapped(image, board.layout)

    with image.open("r+b", buffering=0) as file:
        for area in board.layout.partitions:
            os.pwrite(file.fileno(), os.pread(file.fileno(), 1 << 16, area.end - (1 << 16)),
                      area.end - (1 << 16))  # fmt: skip

    assert mapped(image, board.layout) == before


@requires_program("bmaptool", package="bmap-tools")
def test_bmaptool_agrees_with_every_checksum(image: Path, tmp_path: Path) -> None:
    run(("bmaptool", "--quiet", "copy", image, tmp_path / "card"), timeout=60)

    old, new = image.read_bytes(), (tmp_path / "card").read_bytes()
    spans = list(read_map(Path(f"{image}.bmap")).spans())
    assert all(new[start:end] == old[start:end] for start, end in spans)


@pytest.mark.boot
@requires_program("bmaptool", package="bmap-tools")
def test_bmaptool_writes_a_sound_disk_onto_a_device(
    board: Board, image: Path, loop: Path, tmp_path: Path
) -> None:
    run(("bmaptool", "--quiet", "copy", image, loop), timeout=60)

    card = tmp_path / "card"
    card.write_bytes(loop.read_bytes())
    assert OLD * MIB in card.read_bytes()
    slot = board.layout.partition("A")
    with card.open("rb") as file:
        file.seek(slot.offset)
        assert file.read(slot.size) == (tmp_path / "rootfs.ext4").read_bytes()
    for name in ("A", "B", "data"):
        ExtFilesystem(card, board.layout.partition(name).offset).check()


@requires_program("bmaptool", package="bmap-tools")
def test_bmaptool_finds_a_changed_image(image: Path, tmp_path: Path) -> None:
    with image.open("r+b") as file:
        file.seek(9 * MIB)
        file.write(b"changed")

    with pytest.raises(ProgramError, match="checksum"):
        run(("bmaptool", "--quiet", "copy", image, tmp_path / "card"), timeout=60)


def test_a_journal_of_an_older_image_is_overwritten(tmp_path: Path) -> None:
    board = small_board(
        tmp_path,
        "qemu-arm64",
        {"size: 64 MiB": "size: 128 MiB", "data: {size: 8 MiB}": "data: {size: 32 MiB}"},
    )
    rootfs = ext4(tmp_path / "rootfs.ext4")

    image = composed(tmp_path, board.layout, Parts(rootfs=rootfs, variables=variables(board)))

    data = board.layout.partition("data")
    debugfs = ("debugfs", "-R", "features", f"{image}?offset={data.offset}")
    assert b"has_journal" in run(debugfs, timeout=10)
    inside = [
        (max(start, data.offset), end)
        for start, end in read_map(Path(f"{image}.bmap")).spans()
        if end > data.offset
    ]
    assert sum(end - start for start, end in inside) > 4 * MIB


def test_a_map_survives_its_text(image: Path, tmp_path: Path) -> None:
    block_map = make_map(image, [(0, 4096), (MIB, 2 * MIB)])
    (tmp_path / "map").write_text(to_xml(block_map))

    assert read_map(tmp_path / "map") == block_map
    assert block_map.mapped == MIB + 4096


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("> 64 <", "> 65 <"),
        ('version="2.0"', 'version="3.0"'),
        ("</bmap>", ""),
        ("sha256", "md5"),
        ("BlockSize", "Blocksize"),
        ('<bmap version="2.0">', '<!DOCTYPE a [<!ENTITY b "c">]><bmap version="2.0">'),
    ],
)
def test_a_damaged_map_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = to_xml(BlockMap(64, 4096, (Range(0, 0, "00"),)))
    assert old in text
    (tmp_path / "map").write_text(text.replace(old, new))

    with pytest.raises(ImageError, match="map: "):
        read_map(tmp_path / "map")
