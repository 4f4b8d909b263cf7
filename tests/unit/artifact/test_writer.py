# SPDX-License-Identifier: Apache-2.0
"""Artifacts are read as they were written, and have the same bytes each time."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_artifact.compression import Codec
from ota_artifact.compressors import COMPRESSIONS
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.json_text import format_object
from ota_artifact.reader import open_artifact
from ota_artifact.run import run
from ota_artifact.spec import ArtifactSpec, FileSource, PackedData, PayloadSpec
from ota_artifact.writer import write_artifact
from tests.golden.cases import read_all
from tests.golden.draft import sha256
from tests.golden.keys import EC_KEY, RSA_KEY, SigningKey
from tests.unit.artifact.writing import MODULE, sources, spec, written

CONTENT = {"one": b"1" * 3000, "two": bytes(1 << 20) + b"2", "three": b""}
ROOTFS = PayloadHeader(type="rootfs-image")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_module_with_files_is_read_back(tmp_path: Path, compression: str) -> None:
    header = PayloadHeader(
        type="files",
        provides={"k": "v"},
        depends={"d": ("e",)},
        clears=("k.*",),
        meta_data=b'{"b":1,"a":{}}',
    )
    payload = PayloadSpec(header, sources(tmp_path, CONTENT))

    artifact, files = read_all(written(spec(payload), tmp_path / "out", compression))

    assert files == {(0, name): content for name, content in CONTENT.items()}
    assert artifact.header.payloads == (replace(header, meta_data=b'{"a":{},"b":1}'),)
    assert artifact.manifest.header_codec is COMPRESSIONS[compression].codec


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_root_filesystem_is_read_back(tmp_path: Path, version: int, compression: str) -> None:
    payload = PayloadSpec(ROOTFS, sources(tmp_path, {"rootfs.ext4": b"image"}))

    content = written(spec(payload, version=version), tmp_path / "out", compression)

    artifact, files = read_all(content)
    assert (artifact.version, artifact.header.payloads) == (version, (ROOTFS,))
    assert files == {(0, "rootfs.ext4"): b"image"}


def test_checksum_of_the_image_is_provided(tmp_path: Path) -> None:
    files = sources(tmp_path, {"rootfs.ext4": b"image"})
    provided = PayloadHeader(type="rootfs-image", provides={"other": "given"})

    one = PayloadSpec(ROOTFS, files, checksum_provide="rootfs-image.checksum")
    other = PayloadSpec(provided, files, checksum_provide="other")

    artifact, _ = read_all(written(spec(one), tmp_path / "out"))
    assert artifact.header.payloads[0].provides == {"rootfs-image.checksum": sha256(b"image")}
    artifact, _ = read_all(written(spec(other), tmp_path / "out"))
    assert artifact.header.payloads[0].provides == {"other": "given"}


def test_several_payloads_are_read_back(tmp_path: Path) -> None:
    one = PayloadSpec(ROOTFS, sources(tmp_path / "1", {"image": b"1"}))
    two = PayloadSpec(
        PayloadHeader(type="files", provides={"k": "v"}), sources(tmp_path / "2", {"image": b"2"})
    )
    none = PayloadSpec(PayloadHeader(type="nothing"))

    artifact, files = read_all(written(spec(one, two, none), tmp_path / "out"))

    assert [payload.type for payload in artifact.header.payloads] == [
        "rootfs-image",
        "files",
        "nothing",
    ]
    assert files == {(0, "image"): b"1", (1, "image"): b"2"}


def test_bootstrap_is_read_back(tmp_path: Path) -> None:
    payload = PayloadSpec(PayloadHeader(type=None, provides={"k": "v"}, clears=("*",)))

    artifact, files = read_all(written(spec(payload), tmp_path / "out"))

    assert artifact.header.payloads == (payload.header,)
    assert files == {}


@pytest.mark.parametrize("key", [EC_KEY, RSA_KEY], ids=["ec", "rsa"])
def test_signature_is_over_the_manifest(tmp_path: Path, key: SigningKey) -> None:
    payload = PayloadSpec(MODULE, sources(tmp_path, CONTENT))

    artifact, _ = read_all(written(spec(payload), tmp_path / "out", signer=key), keys=[key.public])

    assert artifact.signed_by == key.public


def test_header_keeps_names_groups_and_scripts_in_order(tmp_path: Path) -> None:
    scripts = (Script("ArtifactReboot_Enter_01", b"b"), Script("ArtifactCommit_Leave_00", b"a"))
    header = Header(
        version=3,
        artifact_name="release",
        compatible_types=("a", "b"),
        payloads=(MODULE,),
        scripts=scripts,
        artifact_group="group",
        depends_names=("r1", "r0"),
        depends_groups=("g1", "g0"),
    )
    payload = PayloadSpec(MODULE)

    artifact, _ = read_all(written(ArtifactSpec(header, (payload,)), tmp_path / "out"))

    assert artifact.header == replace(header, scripts=scripts[::-1])


def test_ready_tar_is_used_as_it_is(tmp_path: Path) -> None:
    payload = PayloadSpec(MODULE, sources(tmp_path, CONTENT))
    old = written(spec(payload), tmp_path / "old", "zstd_fast")
    with (tmp_path / "old").open("rb") as stream:
        artifact = open_artifact(stream)
        (packed,) = artifact.payloads()
    digests = {name: digest for (_, name), digest in artifact.manifest.files.items()}
    ready = PackedData(
        suffix=".zst",
        path=tmp_path / "old",
        offset=packed.offset,
        size=packed.size,
        digests=digests,
    )

    new = written(spec(PayloadSpec(PayloadHeader(type="other"), ready)), tmp_path / "new", "gzip")

    artifact, files = read_all(new)
    assert files == {(0, name): content for name, content in CONTENT.items()}
    assert artifact.manifest.header_codec is Codec.GZIP
    assert old[packed.offset : packed.offset + packed.size] in new


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_same_input_gives_the_same_bytes(tmp_path: Path, compression: str) -> None:
    one = sources(tmp_path / "here", CONTENT)
    two = sources(tmp_path / "another place", CONTENT)
    for number, source in enumerate(two):
        os.utime(source.path, (number, 10**9 + number))
        source.path.chmod(0o400 + number)
    header = PayloadHeader(
        type="files",
        provides={"b": "1", "a": "2"},
        depends={"d": "1", "c": "2"},
        clears=(),
        meta_data=b'{"b":1,"a":2}',
    )
    same = PayloadHeader(
        type="files",
        provides={"a": "2", "b": "1"},
        depends={"c": "2", "d": "1"},
        clears=(),
        meta_data=b'{"a":2, "b":1}',
    )

    first = written(spec(PayloadSpec(header, one)), tmp_path / "1", compression, EC_KEY)
    umask = os.umask(0o077)
    try:
        second = written(spec(PayloadSpec(same, two)), tmp_path / "2", compression, EC_KEY)
    finally:
        os.umask(umask)

    assert first == second


def test_order_in_which_scripts_are_given_does_not_matter(tmp_path: Path) -> None:
    scripts = (Script("ArtifactReboot_Enter_01", b"b"), Script("ArtifactCommit_Leave_00", b"a"))
    one = spec(PayloadSpec(MODULE))

    contents = {
        written(replace(one, header=replace(one.header, scripts=order)), tmp_path / "out")
        for order in (scripts, scripts[::-1])
    }

    assert len(contents) == 1


def test_time_is_that_of_source_date_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = spec(PayloadSpec(MODULE, sources(tmp_path, {"one": b"1"})))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    none = written(payload, tmp_path / "out", "none")
    contents = []
    for epoch in ("0", "1700000000", "1700000000"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        contents.append(written(payload, tmp_path / "out", "none"))

    assert contents[0] == none
    assert contents[1] == contents[2] != none
    assert contents[1].count(b"%011o\0" % 1_700_000_000) == 6 + 1


def test_bytes_are_the_same_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.unit.artifact.test_writer import CONTENT, MODULE, PayloadHeader, PayloadSpec
from tests.unit.artifact.writing import sources, spec, written
folder = Path(sys.argv[1])
header = PayloadHeader(type="files", provides={str(n): "v" for n in range(50)},
    depends={str(n): "v" for n in range(50)})
print(__import__("hashlib").sha256(
    written(spec(PayloadSpec(header, sources(folder, CONTENT))), folder / "out")).hexdigest())
"""
    said = {
        run((sys.executable, "-c", script, tmp_path), timeout=50, environment=environment)
        for environment in (
            {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"},
            {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
        )
    }

    assert len(said) == 1


TEXT = st.text(st.characters(categories=("L", "M", "N", "P", "S")), min_size=1, max_size=20)
NAMES = st.text("abcXYZ019_-.,", min_size=1, max_size=90).filter(
    lambda name: name not in {".", ".."}
)
VALUES = st.text(max_size=10)
DEPENDS = st.dictionaries(TEXT, VALUES | st.lists(VALUES, max_size=3).map(tuple), max_size=3)
META = st.dictionaries(
    st.text("abc", max_size=3), st.integers() | TEXT | st.lists(TEXT), max_size=3
)
PAYLOADS = st.builds(
    lambda files, **fields: (PayloadHeader(**fields), files),
    st.dictionaries(NAMES, st.binary(max_size=2000), max_size=3),
    type=st.text("abcXYZ019_", min_size=1, max_size=20).filter(lambda name: name != "rootfs-image"),
    provides=st.just({}),
    depends=DEPENDS,
    clears=st.lists(VALUES, max_size=3).map(tuple),
    meta_data=META.map(lambda value: format_object(value, sort=True) if value else b""),
)


@pytest.mark.boot
@settings(deadline=None, max_examples=100)
@given(
    payloads=st.lists(PAYLOADS, min_size=1, max_size=3),
    provides=st.dictionaries(TEXT.filter(lambda key: not key.startswith("artifact")), VALUES),
    name=TEXT,
    types=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    compression=st.sampled_from(sorted(COMPRESSIONS)),
)
def test_anything_that_can_be_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    payloads: list[tuple[PayloadHeader, dict[str, bytes]]],
    provides: dict[str, str],
    name: str,
    types: tuple[str, ...],
    compression: str,
) -> None:
    folder = tmp_path_factory.mktemp("round-trip")
    first = (replace(payloads[0][0], provides=provides), payloads[0][1])
    specs = tuple(
        PayloadSpec(header, sources(folder / str(number), files))
        for number, (header, files) in enumerate([first, *payloads[1:]])
    )
    header = Header(
        version=3,
        artifact_name=name,
        compatible_types=types,
        payloads=tuple(each.header for each in specs),
    )

    artifact, files = read_all(written(ArtifactSpec(header, specs), folder / "out", compression))

    assert artifact.header == header
    assert files == {
        (number, name): content
        for number, (_, contents) in enumerate(payloads)
        for name, content in contents.items()
    }


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    payload = PayloadSpec(MODULE, sources(tmp_path, CONTENT))
    total = sum(map(len, CONTENT.values()))

    with (tmp_path / "out").open("w+b", buffering=0) as file:
        write_artifact(
            cast(BinaryIO, file), spec(payload), progress=lambda *numbers: seen.append(numbers)
        )

    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


def test_files_of_a_name_that_another_payload_has_are_told_apart(tmp_path: Path) -> None:
    one = PayloadSpec(MODULE, (FileSource("same", *_paths(tmp_path, b"1")),))
    two = PayloadSpec(PayloadHeader(type="other"), (FileSource("same", *_paths(tmp_path, b"2")),))

    _, files = read_all(written(spec(one, two), tmp_path / "out"))

    assert files == {(0, "same"): b"1", (1, "same"): b"2"}


def _paths(folder: Path, content: bytes) -> tuple[Path]:
    path = folder / sha256(content)
    path.write_bytes(content)
    return (path,)
