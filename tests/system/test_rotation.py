# SPDX-License-Identifier: Apache-2.0
"""On a board, from key 1 to key 2 with key 1 revoked; it stays so when /data is lost."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ota_artifact.draft import changing
from ota_artifact.header import Header, PayloadHeader
from ota_artifact.keys import PrivateKey
from ota_artifact.provides import TRUST_FILE
from ota_artifact.security_version import provides_of
from ota_artifact.spec import ArtifactSpec, PayloadSpec
from ota_artifact.trust import FILE, TrustedKey, TrustFile, format_trust, sign
from tests.system.images import Image
from tests.system.needed import QEMU_ARM64
from tests.system.running import Running, running
from tests.system.test_floor import install, trusting, update
from tests.unit.artifact.writing import sources, written

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1800),  # [s] the first one waits for packages, and for U-Boot
    *QEMU_ARM64,
]

FIRST, SAFE, NEXT = (
    PrivateKey(name, ec.generate_private_key(ec.SECP256R1())) for name in ("first", "safe", "next")
)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return trusting(tmp_path_factory, FIRST.public, SAFE.public)


def trust_artifact(
    folder: Path, version: int, *keys: PrivateKey, by: PrivateKey, revoked: Mapping[str, str] = {}
) -> bytes:
    trust = TrustFile(
        version=version,
        keys=tuple(TrustedKey(public=each.public) for each in keys),
        revoked=tuple(revoked.values()),
        signatures={},
    )
    raw = format_trust(sign(trust, by, [by.public]))
    payload = PayloadHeader(type=TRUST_FILE, provides=provides_of(version, module=TRUST_FILE))
    header = Header(
        version=3,
        artifact_name=f"trust-{version}",
        compatible_types=("qemu-arm64",),
        payloads=(payload,),
    )
    content = sources(folder / f"trust-{version}", {FILE: raw})
    path = folder / f"trust-{version}.mender"
    written(ArtifactSpec(header, (PayloadSpec(payload, content),)), path, signer=by)
    return path.read_bytes()


def release(image: Image, folder: Path, key: PrivateKey) -> bytes:
    """The image's root filesystem, signed with a key."""
    path = folder / f"by-{key.name}.mender"
    shutil.copyfile(image.built.artifact, path)
    with changing(path, signer=key):
        pass
    return path.read_bytes()


def take(board: Running, artifact: bytes) -> None:
    said = install(board, artifact)
    assert said.endswith("code 0\n"), said
    board.ssh("ota-agent commit 2>&1", timeout=300)


def test_a_board_goes_from_one_key_to_the_next(image: Image, tmp_path: Path) -> None:
    disk = tmp_path / "disk.sdimg"
    shutil.copyfile(image.built.image, disk)
    by_first, by_next = release(image, tmp_path, FIRST), release(image, tmp_path, NEXT)
    revoked = {FIRST.name: FIRST.public.id}
    one = trust_artifact(tmp_path, 1, FIRST, SAFE, by=FIRST)
    two = trust_artifact(tmp_path, 2, SAFE, NEXT, by=SAFE, revoked=revoked)
    with running(image.board, disk, image.firmware, image.key) as board:
        board.comes_up_on("A")
        assert "is not signed" in install(board, image.built.artifact.read_bytes())
        assert not install(board, by_next).endswith("code 0\n")
        take(board, one)
        take(board, two)

        assert not install(board, by_first).endswith("code 0\n")
        update(board, by_next, "B")
        floor = board.variables()["ota_floor"]
        assert f"ota-revoked:{FIRST.public.id[:8]}:2" in floor
        assert f"key {FIRST.public.id[:8]} revoked" in board.ssh("ota-agent status")

        board.ssh("rm -rf /data/ota/trust /data/ota/state.db*; sync; killall -9 python3 || true")
        board.restart()
        board.comes_up_on("B")
        board.agent_is_up()
        assert not install(board, by_first).endswith("code 0\n")
        assert "of the trust file is lost" in board.ssh("ota-agent doctor || true")
        take(board, two)
        update(board, by_next, "A")
