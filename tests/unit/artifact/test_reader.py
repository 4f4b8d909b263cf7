# SPDX-License-Identifier: Apache-2.0
"""Reading an artifact: one pass, the header first, nothing unchecked at the end."""

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError, SignatureError, UnsupportedVersion
from ota_artifact.limits import Limits
from ota_artifact.reader import open_artifact
from tests.fuzz.session import peak
from tests.golden.accepted import BOOTSTRAP, TWO, good_artifacts
from tests.golden.cases import Pipe, read_all
from tests.golden.draft import VERSION_2, Draft, Entry, header_info, sha256, tar, type_info
from tests.golden.keys import EC_KEY, OTHER_KEY, RSA_KEY

MIB = 1 << 20
LARGE = replace(Draft(), payloads=((Entry(name="file", content=bytes(3 * MIB)),),))


class Counted:
    """A pipe that knows how much of it was read."""

    def __init__(self, content: bytes) -> None:
        self._pipe = Pipe(content)
        self.read_bytes = 0

    def read(self, size: int, /) -> bytes:
        data = self._pipe.read(size)
        self.read_bytes += len(data)
        return data


def test_header_is_known_before_the_first_payload_byte() -> None:
    draft = Draft(key=EC_KEY)
    front = tar(tuple(draft.members.values())[:4], b"")
    stream = Counted(draft.built())

    artifact = open_artifact(stream, keys=[EC_KEY.public])

    assert artifact.header.artifact_name == "release-2"
    assert artifact.signed_by == EC_KEY.public
    assert stream.read_bytes <= len(front)


def test_nothing_after_the_manifest_is_read_before_the_signature_is_verified() -> None:
    draft = Draft(key=OTHER_KEY)
    version, manifest, signature, *_ = draft.members.values()
    header = 512
    stream = Counted(draft.built())

    with pytest.raises(SignatureError):
        open_artifact(stream, keys=[EC_KEY.public])

    assert stream.read_bytes <= len(tar((version, manifest, signature), b"")) + header


def test_artifact_comes_down_a_socket() -> None:
    here, there = socket.socketpair()
    content = LARGE.built()

    def send() -> None:
        with there:
            there.sendall(content)

    sender = threading.Thread(target=send)
    sender.start()
    with here, here.makefile("rb", buffering=0) as stream:
        artifact = open_artifact(stream)
        artifact.drain()
    sender.join(timeout=10)

    assert artifact.is_checked


def test_artifact_comes_down_a_pipe() -> None:
    reading, writing = os.pipe()
    content = LARGE.built()

    def send() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        artifact = open_artifact(stream)
        artifact.drain()
    sender.join(timeout=10)

    assert artifact.is_checked


@pytest.mark.parametrize("case", good_artifacts().values(), ids=good_artifacts().keys())
def test_nothing_is_written_anywhere(
    case: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(os, "open", _refuse)
    monkeypatch.setattr("builtins.open", _refuse)

    artifact, _ = read_all(case.content, case.keys)  # type: ignore[attr-defined]

    assert artifact.is_checked
    assert list(tmp_path.iterdir()) == []


def _refuse(*arguments: object, **_: object) -> None:
    raise AssertionError(f"opened {arguments}")


def test_files_come_in_stored_order_with_their_sizes() -> None:
    artifact = open_artifact(Pipe(TWO.built()))

    seen = [
        (payload.number, payload.header.type, file.name, file.size, b"".join(file.chunks()))
        for payload in artifact.payloads()
        for file in payload.files()
    ]

    assert seen == [(0, "one", "a", 1, b"1"), (0, "one", "b", 1, b"2"), (1, "two", "a", 1, b"3")]


def test_each_payload_may_have_its_own_compression() -> None:
    data = replace(Draft(), suffix=".zst").data[0]
    members = Draft().members
    del members["data/0000.tar.gz"]

    artifact, files = read_all(tar((*members.values(), data)))

    assert artifact.is_checked
    assert files == {(0, "file"): b"content\n"}


def test_payload_says_where_its_tar_is() -> None:
    content = TWO.built()
    artifact = open_artifact(Pipe(content))

    stored = [
        content[payload.offset : payload.offset + payload.size] for payload in artifact.payloads()
    ]

    assert stored == [entry.content for entry in TWO.data]


def test_unread_payloads_are_checked_all_the_same() -> None:
    wrong = Draft().with_data(
        replace(Draft(), payloads=((Entry(name="file", content=b"x"),),)).data[0].content
    )

    for payloads in (Draft().built(), TWO.built()):
        artifact = open_artifact(Pipe(payloads))
        assert len(list(artifact.payloads())) >= 1
        assert artifact.is_checked
    with pytest.raises(ArtifactError, match="its sha256"):
        list(open_artifact(Pipe(wrong)).payloads())
    with pytest.raises(ArtifactError, match="its sha256"):
        open_artifact(Pipe(wrong)).drain()


def test_artifact_whose_error_was_swallowed_is_not_checked() -> None:
    wrong = Draft().with_data(
        replace(Draft(), payloads=((Entry(name="file", content=b"x"),),)).data[0].content
    )
    artifact = open_artifact(Pipe(wrong))

    with pytest.raises(ArtifactError, match="its sha256"):
        list(artifact.payloads())

    assert not artifact.is_checked
    with pytest.raises(ArtifactError, match="was not read to its end"):
        artifact.drain()


def test_payload_whose_reader_closed_it_is_an_error() -> None:
    artifact = open_artifact(Pipe(TWO.built()))
    payloads = artifact.payloads()
    files = next(payloads).files()
    next(files)
    files.close()  # type: ignore[attr-defined]

    with pytest.raises(ArtifactError, match=r"data/0000\.tar\.gz was not read to its end"):
        next(payloads)

    assert not artifact.is_checked


def test_artifact_is_not_checked_before_its_end() -> None:
    artifact = open_artifact(Pipe(Draft().built()))
    payloads = artifact.payloads()
    before = artifact.is_checked

    next(payloads)

    assert not before
    assert not artifact.is_checked
    assert next(payloads, None) is None
    assert artifact.is_checked


def test_payload_without_data_is_also_given() -> None:
    artifact = open_artifact(Pipe(BOOTSTRAP.but(data=None)))

    (payload,) = artifact.payloads()

    assert (payload.number, payload.header.type, payload.size) == (0, None, 0)
    assert list(payload.files()) == []


def test_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "swapped.mender"
    draft = replace(LARGE, suffix="", key=EC_KEY)
    path.write_bytes(draft.built())
    with path.open("r+b", buffering=0) as writer, path.open("rb", buffering=0) as stream:
        artifact = open_artifact(stream, keys=[EC_KEY.public])  # the check

        writer.seek(-2 * MIB, os.SEEK_END)
        writer.write(b"evil")

        with pytest.raises(ArtifactError, match="its sha256"):  # the use
            artifact.drain()


class Zeros:
    """An artifact whose one file is many zeros and a last byte, made as it is read."""

    def __init__(self, draft: Draft, size: int, last: bytes) -> None:
        front = tar(tuple(draft.members.values())[:-1], b"")
        file = Entry(name="file", content=b"", size=size).packed()
        stored = 512 + size + -size % 512 + 1024
        data = Entry(name="data/0000.tar", content=b"", size=stored).packed()
        self._pieces = self._all(front + data + file, size, last)
        self._rest = b""

    def _all(self, front: bytes, size: int, last: bytes) -> Iterator[bytes]:
        yield front
        zeros = bytes(MIB)
        missing = size - 1
        while missing:
            piece = zeros[: min(missing, MIB)]
            missing -= len(piece)
            yield piece
        yield last + bytes(-size % 512) + bytes(1024) + bytes(1024)

    def read(self, size: int, /) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


@pytest.mark.boot
def test_file_beyond_2_gib_is_covered_to_its_last_byte() -> None:
    size = (1 << 31) + 1
    digest = hashlib.sha256()
    for _ in range(1 << 11):
        digest.update(bytes(MIB))
    digest.update(b"z")
    draft = Draft(
        header=(
            Entry(name="header-info", content=header_info("m")),
            Entry(name="headers/0000/type-info", content=type_info("m")),
        ),
        suffix="",
        key=RSA_KEY,
    )
    lines = draft.lines.replace(sha256(b"content\n").encode(), digest.hexdigest().encode())
    draft = replace(draft, manifest=lines)
    before = peak()

    artifact = open_artifact(Zeros(draft, size, b"z"), keys=[RSA_KEY.public])
    artifact.drain()

    assert artifact.is_checked
    assert peak() - before < 16 * MIB
    with pytest.raises(ArtifactError, match="its sha256"):
        open_artifact(Zeros(draft, size, b"y"), keys=[RSA_KEY.public]).drain()


def test_version_before_the_manifest_was_invented_is_refused() -> None:
    raw = b'{"format":"mender","version":1}'

    with pytest.raises(UnsupportedVersion, match="format version 1 is not supported; 2 and 3 are"):
        open_artifact(Pipe(tar((Entry(name="version", content=raw),))))


def test_artifact_of_version_2_says_so() -> None:
    assert b'"version":2' in VERSION_2
    assert open_artifact(Pipe(good_artifacts()["version-2"].content)).version == 2


def test_any_of_several_keys_may_have_signed() -> None:
    content = Draft(key=EC_KEY).built()

    artifact = open_artifact(Pipe(content), keys=[RSA_KEY.public, OTHER_KEY.public, EC_KEY.public])

    assert artifact.signed_by == EC_KEY.public


def test_signature_is_passed_over_without_keys_and_can_be_asked_later() -> None:
    artifact = open_artifact(Pipe(Draft(key=EC_KEY).built()))

    assert artifact.signed_by is None
    assert artifact.signature
    assert artifact.signature.signer([RSA_KEY.public, EC_KEY.public]) == EC_KEY.public
    assert artifact.signature.signer([RSA_KEY.public]) is None


@pytest.mark.parametrize("field", ["version", "manifest", "signature", "packed_header"])
def test_each_limit_is_the_last_size_that_is_accepted(field: str) -> None:
    draft = Draft(key=EC_KEY)
    version, manifest, signature, header, _ = draft.members.values()
    sizes = {
        "version": len(version.content),
        "manifest": len(manifest.content),
        "signature": len(signature.content),
        "packed_header": len(header.content),
    }

    read_all(draft.built(), limits=Limits(**{field: sizes[field]}))

    with pytest.raises(ArtifactError, match=f"at most {sizes[field] - 1} B allowed"):
        read_all(draft.built(), limits=Limits(**{field: sizes[field] - 1}))
