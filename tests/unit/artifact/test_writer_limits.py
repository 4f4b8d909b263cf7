# SPDX-License-Identifier: Apache-2.0
"""Nothing is written that our own reader refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.header import PayloadHeader, Script
from ota_artifact.limits import Limits
from ota_artifact.output import replacing
from ota_artifact.spec import ArtifactSpec, FileSource, PackedData, PayloadSpec
from tests.golden.cases import read_all
from tests.unit.artifact.writing import MODULE, sources, spec, written


def refused(wanted: ArtifactSpec, folder: Path, finding: str) -> None:
    with pytest.raises(ArtifactError, match=finding):
        written(wanted, folder / "out")


@pytest.mark.parametrize("name", ["../x", "a/b", ".", "n" * 91])
def test_name_that_is_not_a_plain_file_is_refused_however_it_came(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "x").write_bytes(b"x")

    wanted = spec(PayloadSpec(MODULE, (FileSource(name, tmp_path / "x"),)))

    refused(wanted, tmp_path, r"is not the name of a payload file|longer than the 90")


def test_meta_data_is_written_up_to_a_readers_limit(tmp_path: Path) -> None:
    def with_text(size: int) -> ArtifactSpec:
        header = PayloadHeader(type="files", meta_data=json.dumps({"t": "x" * size}).encode())
        return spec(PayloadSpec(header))

    assert read_all(written(with_text(Limits().json - 2000), tmp_path / "out"))
    refused(
        with_text(Limits().json),
        tmp_path,
        "more than the 2097152 B that a reader accepts; remove something",
    )


def test_state_scripts_are_written_up_to_a_readers_limit(tmp_path: Path) -> None:
    def with_script(size: int) -> ArtifactSpec:
        plain = spec(PayloadSpec(MODULE))
        script = Script("ArtifactInstall_Enter_00", bytes(size))
        return replace(plain, header=replace(plain.header, scripts=(script,)))

    assert read_all(written(with_script(Limits().header - 10_000), tmp_path / "out"))
    refused(with_script(Limits().header), tmp_path, "the header with its state scripts: ")


def test_manifest_is_written_up_to_a_readers_limit(tmp_path: Path) -> None:
    digests = {f"{number:080}": "0" * 64 for number in range(Limits().manifest // 140)}

    ready = PackedData(suffix="", path=tmp_path / "out", offset=0, size=0, digests=digests)

    refused(spec(PayloadSpec(MODULE, ready)), tmp_path, "the manifest: ")


@pytest.mark.parametrize(
    "header",
    [
        PayloadHeader(type="rootfs-image", provides={"a": "b"}),
        PayloadHeader(type="rootfs-image", depends={"a": "b"}),
        PayloadHeader(type="rootfs-image", clears=("a",)),
    ],
)
def test_version_2_does_not_lose_what_it_has_no_room_for(
    tmp_path: Path, header: PayloadHeader
) -> None:
    payload = PayloadSpec(header, sources(tmp_path, {"image": b"image"}))

    refused(spec(payload, version=2), tmp_path, "format version 2 has no provides")


def test_version_2_has_no_groups(tmp_path: Path) -> None:
    payload = PayloadSpec(
        PayloadHeader(type="rootfs-image"), sources(tmp_path, {"image": b"image"})
    )
    plain = spec(payload, version=2)

    for change in ({"artifact_group": "g"}, {"depends_names": ("n",)}, {"depends_groups": ("g",)}):
        header = replace(plain.header, **change)
        refused(replace(plain, header=header), tmp_path, "format version 2 has no groups")


def test_ready_tar_that_became_shorter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(bytes(100))
    ready = PackedData(
        suffix="", path=tmp_path / "old", offset=0, size=200, digests={"a": "0" * 64}
    )

    refused(spec(PayloadSpec(MODULE, ready)), tmp_path, "old: changed while it was read")


def test_file_with_a_long_name_in_many_bytes_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("\u00e4" * 120 + ".mender")

    with replacing(path) as file:
        file.write(b"x")

    assert path.read_bytes() == b"x"
