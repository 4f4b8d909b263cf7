# SPDX-License-Identifier: Apache-2.0
"""A payload's file that another reader has started is still checked as a whole."""

import hashlib
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_artifact.compression import Codec, Restart
from ota_artifact.errors import ArtifactError
from ota_artifact.header import PayloadHeader
from ota_artifact.payload import Mark, Payload
from tests.golden.draft import Entry, sha256, squeeze, tar

PLAIN = random.Random(9).randbytes(700_000)
SUFFIXES = [".gz", ".xz", ".zst", ""]


def in_members(plain: bytes, cuts: list[int], suffix: str) -> bytes:
    """A tar of one file, as a stream of members that end at these places of it [B]."""
    whole = tar([Entry(name="file", content=plain)])
    edges = sorted({0, *(cut % len(whole) for cut in cuts), len(whole)})
    return b"".join(squeeze(whole[start:end], suffix) for start, end in pairwise(edges))


def of(stored: bytes, suffix: str, plain: bytes = PLAIN) -> Payload:
    made = Payload(0, PayloadHeader(type="files"), codec=Codec(suffix), size=len(stored))
    made.feed(lambda start: _pieces(stored[start:]), {"file": sha256(plain)})
    return made


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 100_000] for at in range(0, len(data), 100_000))


def marks(payload: Payload) -> list[Mark]:
    """Every mark that a reader passes."""
    found: list[Mark] = []
    file = next(payload.files())
    for _ in file.chunks():
        if file.mark and file.mark not in found:
            found.append(file.mark)
    return found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_reader_continues_at_each_mark(suffix: str) -> None:
    stored = in_members(PLAIN, [512, 512 + 300_000, 512 + 600_000], suffix)
    found = marks(of(stored, suffix))

    last = [300_000, 600_000] if suffix else [599_488, 699_488]
    assert [each.done for each in found[-2:]] == last
    for mark in found:
        assert mark.sha256 == sha256(PLAIN[: mark.done])
        payload = of(stored, suffix)
        payload.resume(mark, hashlib.sha256(PLAIN[: mark.done]))

        (file,) = files = list(payload.files())
        assert (file.start, file.size, file.is_checked, len(files)) == (mark.done, 700_000, True, 1)
        assert payload.is_checked
        assert payload.restart == of_all(stored, suffix).restart


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 5000), max_size=6),
    st.integers(1, 4000),
    st.sampled_from(SUFFIXES),
)
def test_what_is_read_ahead_is_given_again(cuts: list[int], size: int, suffix: str) -> None:
    plain = PLAIN[:3000]
    payload = of(in_members(plain, cuts, suffix), suffix, plain)

    ahead = payload.read_ahead(size)

    assert ahead == plain[:size]
    assert [b"".join(file.chunks()) for file in payload.files()] == [plain]
    assert payload.is_checked


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_reader_continues_behind_what_it_has_read_ahead(suffix: str) -> None:
    stored = in_members(PLAIN, [512 + 300_000, 512 + 600_000], suffix)
    mark = marks(of(stored, suffix))[-1]
    source = Sequential(stored)
    payload = Payload(0, PayloadHeader(type="files"), codec=Codec(suffix), size=len(stored))
    payload.feed(source.read_from, {"file": sha256(PLAIN)})

    ahead = payload.read_ahead(50_000)
    assert not payload.is_ahead_of(mark)
    payload.resume(mark, hashlib.sha256(ahead + PLAIN[50_000 : mark.done]))
    (file,) = files = list(payload.files())

    assert ahead == PLAIN[:50_000]
    assert (file.start, file.is_checked, len(files)) == (mark.done, True, 1)
    assert payload.is_checked


def test_a_mark_that_was_passed_while_reading_ahead_is_known() -> None:
    stored = in_members(PLAIN, [512 + 300_000], ".gz")
    (mark,) = marks(of(stored, ".gz"))
    payload = of(stored, ".gz")

    payload.read_ahead(500_000)

    assert payload.is_ahead_of(mark)


class Sequential:
    """A stream that only goes forward."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def read_from(self, start: int) -> Iterator[bytes]:
        assert start >= self._at
        self._at = start
        while piece := self._data[self._at : self._at + 10_000]:
            self._at += len(piece)
            yield piece


def of_all(stored: bytes, suffix: str) -> Payload:
    payload = of(stored, suffix)
    list(payload.files())
    return payload


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=1, max_size=3000),
    st.lists(st.integers(0, 5000), max_size=6),
    st.sampled_from(SUFFIXES),
)
def test_marks_are_right_wherever_members_end(plain: bytes, cuts: list[int], suffix: str) -> None:
    stored = in_members(plain, cuts, suffix)

    for mark in marks(of(stored, suffix, plain)):
        payload = of(stored, suffix, plain)
        payload.resume(mark, hashlib.sha256(plain[: mark.done]))
        (file,) = payload.files()
        assert 0 < mark.done <= len(plain)
        assert file.is_checked


def test_a_member_that_ends_in_the_tar_header_is_not_a_mark() -> None:
    stored = in_members(PLAIN, [100, 512], ".gz")

    assert marks(of(stored, ".gz")) == []


def test_a_stream_of_one_member_has_no_mark() -> None:
    assert marks(of(in_members(PLAIN, [], ".gz"), ".gz")) == []


def test_a_mark_with_the_digest_of_something_else_is_found_out() -> None:
    stored = in_members(PLAIN, [512 + 300_000], ".gz")
    (mark,) = marks(of(stored, ".gz"))
    payload = of(stored, ".gz")
    payload.resume(mark, hashlib.sha256(PLAIN[1 : mark.done]))

    with pytest.raises(ArtifactError, match="file: its sha256 is"):
        list(payload.files())

    assert not payload.is_checked


def test_what_follows_the_file_is_checked_as_before() -> None:
    whole = tar([Entry(name="file", content=PLAIN), Entry(name="more", content=b"x")])
    cut = 512 + 300_000
    stored = squeeze(whole[:cut], ".gz") + squeeze(whole[cut:], ".gz")
    (mark,) = marks(of(stored, ".gz"))
    payload = of(stored, ".gz")
    payload.resume(mark, hashlib.sha256(PLAIN[: mark.done]))

    with pytest.raises(ArtifactError, match="'more' is not listed in the manifest"):
        list(payload.files())


@pytest.mark.parametrize(
    ("read", "given", "name"),
    [
        (0, 512 + 300_000, "file"),
        (10**9, 512 + 300_000, "file"),
        (1000, 512, "file"),
        (1000, 100, "file"),
        (1000, 512 + 700_001, "file"),
        (1000, 512 + 300_000, "other"),
    ],
)
def test_an_impossible_place_is_refused(read: int, given: int, name: str) -> None:
    payload = of(in_members(PLAIN, [512], ".gz"), ".gz")

    with pytest.raises(ArtifactError, match=r"data/0000\.tar\.gz: cannot be read from byte"):
        payload.resume(
            Mark(name=name, size=700_000, start=512, restart=Restart(read, given), sha256=""),
            hashlib.sha256(),
        )


def test_a_payload_of_several_files_is_read_from_its_start() -> None:
    made = Payload(0, PayloadHeader(type="files"), codec=Codec.NONE, size=10_000)
    made.feed(lambda start: iter(()), {"one": "", "two": ""})

    with pytest.raises(ArtifactError, match="one, two; read it from its start"):
        made.resume(
            Mark(name="one", size=400_000, start=512, restart=Restart(1000, 2000), sha256=""),
            hashlib.sha256(),
        )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 5000), max_size=6),
    st.integers(0, 6000),
    st.integers(0, 6000),
    st.sampled_from(SUFFIXES),
)
def test_no_place_at_all_leads_to_another_file(
    cuts: list[int], read: int, given: int, suffix: str
) -> None:
    plain = PLAIN[:1500] + bytes(1000) + PLAIN[:500]
    payload = of(in_members(plain, cuts, suffix), suffix, plain)
    mark = Mark(name="file", size=len(plain), start=512, restart=Restart(read, given), sha256="")

    try:
        payload.resume(mark, hashlib.sha256(plain[: mark.done]))
        content = [b"".join(file.chunks()) for file in payload.files()]
    except ArtifactError:
        assert not payload.is_checked
        return

    assert content == [plain[mark.done :]]
    assert payload.is_checked
