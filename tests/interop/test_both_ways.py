# SPDX-License-Identifier: Apache-2.0
"""Each tool reads, verifies and signs what the other one writes."""

import json
from pathlib import Path

import pytest

from tests.conftest import requires_program
from tests.interop.conftest import Command, Keys

pytestmark = [
    pytest.mark.boot,
    requires_program("mender-artifact", package="mender-artifact"),
    requires_program("openssl", package="openssl"),
    requires_program("mke2fs", package="e2fsprogs"),
]

VALID = "validated successfully"
COMPRESSIONS = ("none", "gzip", "lzma")  # what mender-artifact 3.9 knows


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("version", ["2", "3"])
def test_a_root_filesystem_of_ours_is_valid_for_them(
    ours: Command, theirs: Command, image: Path, tmp_path: Path, compression: str, version: str
) -> None:
    artifact = tmp_path / "v2.mender"
    options = ("--compression", compression, "-v", version)

    ours("write", "rootfs-image", "-c", "qemu", "-n", "v2", "-f", image, "-o", artifact, *options)

    assert VALID in theirs("validate", artifact)
    said = theirs("read", artifact)
    assert "Name: v2" in said
    assert "Compatible devices: '[qemu]'" in said


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("version", ["2", "3"])
def test_a_root_filesystem_of_theirs_is_valid_for_us(
    ours: Command, theirs: Command, image: Path, tmp_path: Path, compression: str, version: str
) -> None:
    artifact = tmp_path / "v2.mender"
    write = ("--compression", compression, "write", "rootfs-image", "-t", "qemu", "-n", "v2")

    theirs(*write, "-v", version, "-f", image, "-o", artifact)

    assert VALID in ours("validate", artifact)
    assert json.loads(ours("read", "--json", artifact))["compatible_types"] == ["qemu"]
    assert ours("cat", f"{artifact}:/etc/hostname") == "board\n"


def test_a_module_image_of_ours_says_the_same_to_them(
    ours: Command,
    theirs: Command,
    module_files: tuple[Path, Path, Path, Path],
    tmp_path: Path,
) -> None:
    one, two, meta, script = module_files
    options = ("-n", "app-2", "-T", "app-v1", "-f", one, "-f", two, "-m", meta, "-s", script)
    relations = ("-p", "app.part:7", "-d", "board.rev:3", "-N", "app-1", "-G", "beta", "-g", "qa")

    ours("write", "module-image", "-c", "a", "-c", "b", *options, *relations, "-o", tmp_path / "o")
    theirs(
        "write", "module-image", "-t", "a", "-t", "b", *options, *relations, "-o", tmp_path / "t"
    )

    assert VALID in theirs("validate", tmp_path / "o")
    assert _facts(ours, tmp_path / "o") == _facts(ours, tmp_path / "t")
    assert _lines(theirs("read", tmp_path / "o")) == _lines(theirs("read", tmp_path / "t"))


def test_a_bootstrap_artifact_of_ours_says_the_same_to_them(
    ours: Command, theirs: Command, tmp_path: Path
) -> None:
    options = ("-n", "v1", "-p", "rootfs-image.version:v1", "--clears-provides", "rootfs-image.*")

    ours("write", "bootstrap-artifact", "-c", "rpi3", *options, "-o", tmp_path / "o")
    theirs("write", "bootstrap-artifact", "-t", "rpi3", *options, "-o", tmp_path / "t")

    assert VALID in theirs("validate", tmp_path / "o")
    assert VALID in ours("validate", tmp_path / "t")
    assert _facts(ours, tmp_path / "o") == _facts(ours, tmp_path / "t")


@pytest.mark.parametrize("kind", ["rootfs-image", "module-image", "bootstrap-artifact"])
def test_what_we_sign_is_genuine_for_them(
    ours: Command, theirs: Command, keys: Keys, image: Path, tmp_path: Path, kind: str
) -> None:
    artifact = tmp_path / "signed.mender"

    ours("write", *_kind(kind, image), "-c", "rpi3", "-o", artifact, "-k", keys.private)

    assert VALID in theirs("validate", artifact, "-k", keys.public)
    assert "signed and verified correctly" in theirs("read", artifact, "-k", keys.public)


@pytest.mark.parametrize("kind", ["rootfs-image", "module-image", "bootstrap-artifact"])
def test_what_they_sign_is_genuine_for_us(
    ours: Command, theirs: Command, keys: Keys, image: Path, tmp_path: Path, kind: str
) -> None:
    artifact = tmp_path / "signed.mender"

    theirs("write", *_kind(kind, image), "-t", "rpi3", "-o", artifact, "-k", keys.private)

    assert VALID in ours("validate", artifact, "-k", keys.public)
    assert "signed and verified correctly" in ours("read", artifact, "-k", keys.public)


def test_each_signs_what_the_other_wrote(
    ours: Command, theirs: Command, keys: Keys, image: Path, tmp_path: Path
) -> None:
    write = ("write", "rootfs-image", "-t", "rpi3", "-n", "v2", "-f", image, "-o")
    ours(*write, tmp_path / "ours.mender")
    theirs(*write, tmp_path / "theirs.mender")

    ours("sign", tmp_path / "theirs.mender", "-k", keys.private)
    theirs("sign", tmp_path / "ours.mender", "-k", keys.private)

    for tool in (ours, theirs):
        for name in ("ours.mender", "theirs.mender"):
            assert VALID in tool("validate", tmp_path / name, "-k", keys.public)


def test_what_we_modified_is_valid_for_them(
    ours: Command, theirs: Command, keys: Keys, image: Path, tmp_path: Path
) -> None:
    artifact = tmp_path / "v2.mender"
    write = ("write", "rootfs-image", "-t", "rpi3", "-n", "v2", "-f", image, "-o", artifact)
    theirs(*write, "-k", keys.private)

    ours("modify", artifact, "-n", "v3", "-u", "https://example.com", "-k", keys.private)

    assert VALID in theirs("validate", artifact, "-k", keys.public)
    assert "https://example.com" in theirs("cat", f"{artifact}:/etc/mender/mender.conf")
    assert "rootfs-image.version: v3" in theirs("read", artifact)


def _kind(kind: str, image: Path) -> tuple[str | Path, ...]:
    match kind:
        case "rootfs-image":
            return (kind, "-n", "v2", "-f", image)
        case "module-image":
            return (kind, "-n", "v2", "-T", "single-file", "-f", image)
        case _:
            return (kind, "-n", "v2")


def _facts(ours: Command, artifact: Path) -> object:
    """The description of an artifact, without sizes, modes and times, which differ by writer."""
    found = json.loads(ours("read", "--json", artifact))
    for payload in found["payloads"]:
        del payload["stored_size"]
        for file in payload["files"]:
            del file["mode"], file["modified"]
    return found


def _lines(said: str) -> list[str]:
    """What mender-artifact prints, in an order that does not depend on Go's maps, without times."""
    return sorted(line for line in said.splitlines() if "modified:" not in line)
