# SPDX-License-Identifier: Apache-2.0
"""A replayed artifact on a board: refused once the floor has risen, whatever is lost of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ota_artifact.draft import changing
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.keys import PublicKey
from ota_artifact.security_version import provides_of
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from tests.golden.keys import EC_KEY
from tests.system.images import Image, image_of
from tests.system.needed import QEMU_ARM64
from tests.system.running import Running, running
from tests.unit.artifact.writing import sources, written

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800),  # [s] the first one waits for packages, and for U-Boot
    *QEMU_ARM64,
]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return trusting(tmp_path_factory, PublicKey("golden", EC_KEY.private.public_key()))


def trusting(factory: pytest.TempPathFactory, *keys: PublicKey) -> Image:
    """An image that trusts keys."""
    overlay = factory.mktemp("overlay")
    folder = overlay / "etc" / "ota"
    folder.mkdir(parents=True)
    names = [f"/etc/ota/{number}.pem" for number in range(len(keys))]
    for name, key in zip(names, keys, strict=True):
        (overlay / name.lstrip("/")).write_text(key.pem)
    (folder / "agent.toml").write_text(f"[keys]\nkeys = {json.dumps(names)}\n")
    return image_of("qemu-arm64", factory.mktemp("qemu-arm64"), overlays=(overlay,))


def release(image: Image, folder: Path, number: int) -> bytes:
    """The image's root filesystem, as a signed release with a security version."""
    path = folder / f"{number}.mender"
    shutil.copyfile(image.built.artifact, path)
    with changing(path, signer=EC_KEY) as draft:
        provides = {**draft.payload.provides, **provides_of(number)}
        draft.payload = replace(draft.payload, provides=provides)
    return path.read_bytes()


def clearing(folder: Path) -> bytes:
    """A signed artifact of a module that clears all that the device provides."""
    payload = PayloadHeader(type="script", provides=provides_of(1, module="script"), clears=("*",))
    header = Header(
        version=3, artifact_name="s1", compatible_types=("qemu-arm64",), payloads=(payload,)
    )
    content = sources(folder / "script", {"run": b"#!/bin/sh\n"})
    path = folder / "script.mender"
    written(ArtifactSpec(header, (PayloadSpec(payload, content),)), path, signer=EC_KEY)
    return path.read_bytes()


def install(board: Running, artifact: bytes) -> str:
    """What the agent says, and its exit code."""
    board.way_in.run("cat > /data/a.mender", stdin=artifact, timeout=600)
    return board.ssh("ota-agent install /data/a.mender 2>&1; echo code $?", timeout=900)


def update(board: Running, artifact: bytes, slot: str) -> None:
    said = install(board, artifact)
    assert said.endswith("code 0\n"), said
    assert "less confined" not in said, said
    board.restart()
    board.comes_up_on(slot)
    board.agent_is_up()
    board.ssh("ota-agent commit 2>&1", timeout=300)


def test_an_older_release_is_never_taken_again(image: Image, tmp_path: Path) -> None:
    old, new = (release(image, tmp_path, number) for number in (4, 5))
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        update(board, new, "B")

        state = board.variables()
        assert (state["ota_good_a"], state["ota_good_b"]) == ("0", "1")
        assert state["ota_floor"].startswith("rootfs-image:")
        assert "floor of this device is 5" in install(board, old)
        assert install(board, clearing(tmp_path)).endswith("code 0\n")
        assert "rootfs-image.version" not in board.ssh("ota-agent show-provides")
        assert "floor of this device is 5" in install(board, old)
        board.ssh("rm /data/ota/state.db*; sync; killall -9 ota-agent python3 || true")
        board.restart()
        board.comes_up_on("B")
        board.agent_is_up()
        assert "floor of this device is 5" in install(board, old)
        assert "security version rootfs-image 5 of key" in board.ssh("ota-agent status")
        update(board, new, "A")
