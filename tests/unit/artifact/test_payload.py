# SPDX-License-Identifier: Apache-2.0
"""A payload's files as they pass: checked, or an error, whatever the caller does."""

from collections.abc import Iterator

import pytest

from ota_artifact.compression import Codec, Restart
from ota_artifact.errors import ArtifactError
from ota_artifact.header import PayloadHeader
from ota_artifact.payload import Payload
from tests.golden.draft import Entry, sha256, squeeze, tar

CONTENT = {"one": b"1" * 400_000, "two": b"", "three": b"3"}


def payload(content: dict[str, bytes] | None = None, suffix: str = "") -> Payload:
    """A payload whose manifest lists ``CONTENT``, and whose tar has ``content``, or the same."""
    stored = squeeze(
        tar([Entry(name=name, content=data) for name, data in (content or CONTENT).items()]), suffix
    )
    made = Payload(0, PayloadHeader(type="files"), codec=Codec(suffix), size=len(stored))
    made.feed(
        lambda start: iter((stored[start:],)),
        {name: sha256(data) for name, data in CONTENT.items()},
    )
    return made


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_files_are_given_and_checked(suffix: str) -> None:
    made = payload(suffix=suffix)

    files = {file.name: b"".join(file.chunks()) for file in made.files()}

    assert files == CONTENT
    assert made.is_checked


def test_file_knows_its_name_and_size() -> None:
    file = next(payload().files())

    assert (file.name, file.size, file.mode, file.mtime) == ("one", 400_000, 0o600, 0)
    assert file.sha256 == sha256(CONTENT["one"])
    assert not file.is_checked
    assert all(len(chunk) <= 1 << 18 for chunk in file.chunks())
    assert file.is_checked


def test_files_that_are_left_unread_are_checked() -> None:
    made = payload()

    assert [file.name for file in made.files()] == list(CONTENT)
    assert made.is_checked
    with pytest.raises(ArtifactError, match="one: its sha256"):
        list(payload({**CONTENT, "one": b"x"}).files())


def test_file_that_is_read_in_part_is_checked_to_its_end() -> None:
    wrong = payload({**CONTENT, "one": b"1" * 399_999 + b"2"})
    files = wrong.files()
    next(next(files).chunks())

    with pytest.raises(ArtifactError, match="one: its sha256"):
        next(files)


def closed(chunks: Iterator[bytes]) -> None:
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]


def test_file_whose_reader_closed_it_is_an_error() -> None:
    files = payload().files()
    closed(next(files).chunks())

    with pytest.raises(ArtifactError, match="one was not read to its end, so it is not checked"):
        next(files)


def test_file_whose_error_was_swallowed_is_an_error_again() -> None:
    made = payload({**CONTENT, "one": b"1" * 399_999 + b"2"})
    files = made.files()
    file = next(files)
    with pytest.raises(ArtifactError, match="its sha256"):
        list(file.chunks())

    with pytest.raises(ArtifactError, match="is not checked"):
        next(files)

    assert not made.is_checked


def test_second_pass_gives_nothing_and_first_counts() -> None:
    made = payload()
    files = made.files()
    file = next(files)

    first, second = b"".join(file.chunks()), b"".join(file.chunks())

    assert (first, second) == (CONTENT["one"], b"")
    assert next(files).name == "two"


def test_any_order_of_files_is_accepted() -> None:
    made = payload(dict(reversed(CONTENT.items())))

    assert [file.name for file in made.files()] == ["three", "two", "one"]


def test_restart_moves_on_at_member_boundaries() -> None:
    whole = tar([Entry(name="one", content=CONTENT["one"])])
    parts = (squeeze(whole[:512], ".gz"), squeeze(whole[512:], ".gz"))
    made = Payload(0, PayloadHeader(type="files"), codec=Codec.GZIP)
    made.feed(lambda start: iter(parts), {"one": sha256(CONTENT["one"])})
    before = made.restart
    file = next(made.files())

    for _ in file.chunks():
        pass

    assert before == Restart(0, 0)
    assert made.restart in {
        Restart(len(parts[0]), 512),
        Restart(len(parts[0]) + len(parts[1]), len(whole)),
    }


def test_payload_without_data_has_no_files_and_nothing_to_check() -> None:
    made = Payload(0, PayloadHeader(type=None))

    assert list(made.files()) == []
    assert made.is_checked
    assert made.restart == Restart()
