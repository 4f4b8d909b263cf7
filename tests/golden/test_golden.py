# SPDX-License-Identifier: Apache-2.0
"""Every golden artifact is accepted or refused, as its name says."""

import re
from dataclasses import dataclass

import pytest

from ota_artifact.errors import ArtifactError, UnsupportedFeature
from ota_artifact.keys import PublicKey
from tests.golden.accepted import ROOTFS, good_artifacts
from tests.golden.cases import FOLDER, Broken, Good, read_all
from tests.golden.generate import generated
from tests.golden.keys import EC_KEY, RSA_KEY
from tests.golden.refused import broken_artifacts

GOOD = good_artifacts()
BROKEN = broken_artifacts()
PEER = FOLDER / "mender-artifact-3.9.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What mender-artifact wrote into a file of its folder."""

    types: tuple[str | None, ...]
    names: tuple[str, ...] = ()
    version: int = 3
    keys: tuple[PublicKey, ...] = ()


PEERS = {
    "rootfs-image": Peer(types=("rootfs-image",), names=("rootfs.ext4",), keys=(EC_KEY.public,)),
    "version-2": Peer(
        types=("rootfs-image",), names=("rootfs.ext4",), version=2, keys=(RSA_KEY.public,)
    ),
    "module-xz": Peer(types=("dir",), names=("rootfs.ext4", "meta.json")),
    "module-without-files": Peer(types=("dir",)),
    "bootstrap": Peer(types=(None,)),
}


def test_committed_artifacts_are_what_the_generator_makes() -> None:
    fixed = {case.path for case in GOOD.values() if not case.is_reproducible}

    wanted = dict(generated())

    there = {path for kind in ("good", "broken") for path in (FOLDER / kind).iterdir()}
    assert {path.name for path in there} == {path.name for path in wanted}
    others = [path.name for path in there - fixed if path.read_bytes() != wanted[path]]
    assert others == [], "run: python -m tests.golden.generate"


def test_golden_artifacts_are_small() -> None:
    sizes = [path.stat().st_size for path in FOLDER.rglob("*.mender")]

    assert len(sizes) > 40
    assert sum(sizes) < 300 << 10


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD.keys())
def test_good_artifact_is_accepted(case: Good) -> None:
    content = case.path.read_bytes() if case.is_committed else case.content

    artifact, files = read_all(content, case.keys)

    assert artifact.is_checked
    assert artifact.header.artifact_name == "release-2"
    assert files.keys() == artifact.manifest.files.keys()
    assert bool(artifact.signed_by) == bool(case.keys)


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_broken_artifact_is_refused(case: Broken) -> None:
    content = case.path.read_bytes() if case.is_committed else case.content

    with pytest.raises(ArtifactError) as raised:
        read_all(content, case.keys)

    assert type(raised.value) is case.error
    assert re.search(case.finding, str(raised.value)), str(raised.value)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("name", PEERS)
def test_artifact_of_mender_artifact_is_accepted(name: str) -> None:
    peer = PEERS[name]

    artifact, files = read_all((PEER / f"{name}.mender").read_bytes(), peer.keys)

    assert artifact.version == peer.version
    assert tuple(payload.type for payload in artifact.header.payloads) == peer.types
    assert tuple(name for _, name in files) == peer.names
    assert bool(artifact.signed_by) == bool(peer.keys)


def test_augmented_artifact_of_mender_artifact_is_refused() -> None:
    content = (PEER / "augmented.mender").read_bytes()

    with pytest.raises(UnsupportedFeature, match="is augmented"):
        read_all(content)


def test_empty_type_of_old_tools_is_read_as_rootfs_image() -> None:
    draft = ROOTFS.with_header("headers/0000/type-info", b'{"type":""}')

    artifact, _ = read_all(draft.built())

    assert artifact.header.payloads[0].type == "rootfs-image"
