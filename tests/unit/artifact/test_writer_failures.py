# SPDX-License-Identifier: Apache-2.0
"""Errors of the writer: specs that are not an artifact, files that change, full disks."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from ota_artifact.compressors import COMPRESSIONS
from ota_artifact.errors import ArtifactError
from ota_artifact.header import PayloadHeader, Script
from ota_artifact.output import replacing
from ota_artifact.run import run
from ota_artifact.spec import ArtifactSpec, FileSource, PayloadSpec, file_source
from ota_artifact.writer import write_artifact
from tests.golden.cases import read_all
from tests.unit.artifact.writing import MODULE, sources, spec, written

MIB = 1 << 20


def rootfs(folder: Path, count: int = 1) -> PayloadSpec:
    files = sources(folder, {f"image-{number}": b"image" for number in range(count)})
    return PayloadSpec(PayloadHeader(type="rootfs-image"), files)


def refused(wanted: ArtifactSpec, folder: Path, finding: str) -> None:
    with pytest.raises(ArtifactError, match=finding):
        written(wanted, folder / "out")


@pytest.mark.parametrize(
    ("field", "value", "finding"),
    [
        ("version", 1, "version: 1 is not supported; use 2 or 3"),
        ("artifact_name", "", "artifact name: is empty"),
        ("artifact_name", "n" * 257, "longer than 256 B"),
        ("artifact_name", "a\nb", "unprintable character"),
        ("compatible_types", (), "name at least one device type"),
        ("compatible_types", ("",), "device type"),
        ("artifact_group", "\x1b", "artifact group"),
        ("depends_names", ("n" * 257,), "longer than 256 B"),
        ("depends_groups", ("",), "is empty"),
        ("scripts", (Script("../x", b""),), "is not the name of a state script"),
        ("scripts", (Script("ArtifactInstall_Enter_00", b""),) * 2, "two have the same name"),
    ],
)
def test_header_that_no_reader_takes_is_not_written(
    tmp_path: Path, field: str, value: object, finding: str
) -> None:
    one = spec(PayloadSpec(MODULE))
    changed = replace(one, header=replace(one.header, **{field: value}))  # type: ignore[arg-type]

    refused(changed, tmp_path, finding)


@pytest.mark.parametrize(
    ("header", "finding"),
    [
        (PayloadHeader(type=""), "is not a payload type"),
        (PayloadHeader(type="../sh"), "is not a payload type"),
        (PayloadHeader(type="-rf"), "is not a payload type"),
        (PayloadHeader(type=None, meta_data=b"{}"), "cannot have files or meta-data"),
        (PayloadHeader(type="files", meta_data=b"[]"), "must be a JSON object"),
        (PayloadHeader(type="files", meta_data=b"{"), "is not JSON"),
        (PayloadHeader(type="files", provides={"n" * 257: "v"}), "longer than 256 B"),
        (PayloadHeader(type="files", provides={}, depends={"": "v"}), "is empty"),
        (PayloadHeader(type="files", provides={"artifact_name": "v"}), "which is already provided"),
        (PayloadHeader(type="rootfs-image"), "rootfs-image takes one file, not 0"),
    ],
)
def test_payload_that_no_reader_takes_is_not_written(
    tmp_path: Path, header: PayloadHeader, finding: str
) -> None:
    refused(spec(PayloadSpec(header)), tmp_path, finding)


def test_payloads_are_counted(tmp_path: Path) -> None:
    refused(spec(), tmp_path, "payloads: there must be 1 to 10000")
    refused(spec(rootfs(tmp_path, 2)), tmp_path, "rootfs-image takes one file, not 2")
    files = sources(tmp_path, {"a": b"1"})
    refused(spec(PayloadSpec(PayloadHeader(type=None), files)), tmp_path, "cannot have files")
    refused(spec(PayloadSpec(MODULE, files * 2)), tmp_path, "files: two have the same name")
    twice = PayloadSpec(PayloadHeader(type="files", provides={"k": "v"}))
    refused(spec(twice, twice), tmp_path, "provides 'k', which is already provided")


def test_version_2_holds_only_a_root_filesystem(tmp_path: Path) -> None:
    for header in (MODULE, PayloadHeader(type=None)):
        refused(spec(PayloadSpec(header), version=2), tmp_path, "holds rootfs-image only")

    assert read_all(written(spec(rootfs(tmp_path), version=2), tmp_path / "out"))


@pytest.mark.parametrize("name", ["a b", "\u00e4", "n" * 91, "a\nb"])
def test_file_whose_name_cannot_be_in_an_artifact_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ArtifactError, match=r"is not the name of a payload file|longer than the 90"
    ):
        file_source(tmp_path / name)

    assert file_source(tmp_path / "rootfs.ext4") == FileSource(
        "rootfs.ext4", tmp_path / "rootfs.ext4"
    )


@pytest.mark.parametrize("epoch", [" ", "-1", "1.5", "yesterday", "\u0663", str(1 << 33)])
def test_wrong_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)

    refused(spec(rootfs(tmp_path)), tmp_path, "SOURCE_DATE_EPOCH: ")


def test_an_empty_time_is_like_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    unset = written(spec(rootfs(tmp_path)), tmp_path / "unset")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")

    assert written(spec(rootfs(tmp_path)), tmp_path / "empty") == unset


def changing(path: Path, size: int) -> tuple[ArtifactSpec, Path]:
    path.write_bytes(bytes(5 * MIB))
    return spec(PayloadSpec(MODULE, (FileSource("file", path),))), path.with_name(f"{size}")


@pytest.mark.parametrize("size", [0, 1, 2 * MIB, 5 * MIB - 1, 5 * MIB + 1, 9 * MIB])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_file_that_changes_its_size_while_it_is_read_is_refused(
    tmp_path: Path, size: int, compression: str
) -> None:
    wanted, out = changing(tmp_path / "file", size)

    def resize(done: int, total: int) -> None:
        if done == MIB:
            os.truncate(tmp_path / "file", size)

    finding = "file: changed its size while it was read; try again"
    with out.open("w+b", buffering=0) as file, pytest.raises(ArtifactError, match=finding):
        write_artifact(
            cast(BinaryIO, file), wanted, compression=COMPRESSIONS[compression], progress=resize
        )


def test_file_whose_content_changes_is_written_as_it_was_read(tmp_path: Path) -> None:
    wanted, out = changing(tmp_path / "file", 0)

    def change(done: int, total: int) -> None:
        if done == MIB:
            with (tmp_path / "file").open("r+b") as file:
                file.write(b"x" * MIB)
                file.seek(4 * MIB)
                file.write(b"y")

    with out.open("w+b", buffering=0) as file:
        write_artifact(cast(BinaryIO, file), wanted, progress=change)

    _, files = read_all(out.read_bytes())
    content = files[0, "file"]
    assert len(content) == 5 * MIB
    assert content[:MIB] == bytes(MIB)


def test_missing_file_and_folder_are_errors_that_name_them(tmp_path: Path) -> None:
    missing = spec(PayloadSpec(MODULE, (FileSource("file", tmp_path / "none"),)))

    with pytest.raises(FileNotFoundError, match="none"):
        written(missing, tmp_path / "out")
    (tmp_path / "folder").mkdir()
    folder = spec(PayloadSpec(MODULE, (FileSource("file", tmp_path / "folder"),)))
    refused(folder, tmp_path, "folder: is neither a file nor a block device")


def test_full_device_is_an_error_of_the_system(tmp_path: Path) -> None:
    wanted, _ = changing(tmp_path / "file", 0)

    with (
        pytest.raises(OSError, match="No space left"),
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        write_artifact(cast(BinaryIO, file), wanted)


FULL = """
import resource, signal, sys
from pathlib import Path
from ota_artifact.output import replacing
from ota_artifact.writer import write_artifact
from tests.unit.artifact.test_writer_failures import changing
folder = Path(sys.argv[1])
wanted, _ = changing(folder / "file", 0)
(folder / "file").write_bytes(__import__("os").urandom(5 << 20))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with replacing(folder / "out") as file:
        write_artifact(file, wanted)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.boot
@pytest.mark.parametrize("room", [0, 100, 3 * MIB, 5 * MIB])
def test_artifact_that_does_not_fit_leaves_nothing(tmp_path: Path, room: int) -> None:
    (tmp_path / "out").write_bytes(b"old")

    said = run((sys.executable, "-c", FULL, tmp_path, str(room)), timeout=50)

    assert said == b"File too large\n"
    assert (tmp_path / "out").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "out"]


@pytest.mark.boot
def test_artifact_that_just_fits_is_written(tmp_path: Path) -> None:
    said = run((sys.executable, "-c", FULL, tmp_path, str(6 * MIB)), timeout=50)

    assert said == b""
    assert read_all((tmp_path / "out").read_bytes())[0].is_checked


def test_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    wanted, out = changing(tmp_path / "file", 0)
    out.write_bytes(b"old")

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), replacing(out) as file:
        write_artifact(file, wanted, progress=fail)

    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "file"]
