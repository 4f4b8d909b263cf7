# SPDX-License-Identifier: Apache-2.0
"""The tar of artifacts, compared with Python's tarfile; tests/golden has what is refused."""

import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_artifact import tar
from ota_artifact.errors import ArtifactError
from ota_artifact.stream import Source
from ota_artifact.tar import BLOCK, END, Member, TarReader
from tests.golden.cases import Pipe
from tests.golden.draft import Entry, pax
from tests.golden.draft import tar as made

NAMES = st.text("abcXYZ019._-/", min_size=1, max_size=300).filter(
    lambda name: not name.startswith("/") and not name.endswith("/") and "//" not in name
)


def reader(data: bytes, *, directories: bool = False) -> TarReader:
    return TarReader(Source(Pipe(data), "x.tar"), "x.tar", directories=directories)


def contents(data: bytes) -> list[tuple[str, bytes]]:
    return list(_contents(reader(data)))


def _contents(source: TarReader) -> Iterator[tuple[str, bytes]]:
    while member := source.next():
        yield member.name, b"".join(source.chunks())


def test_written_tar_is_what_tarfile_reads() -> None:
    members = {"a": b"", "b": b"x" * 512, "c": b"y" * 513}

    data = tar.archive(members, mtime=7, modes={"b": 0o755})

    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        found = archive.getmembers()
        assert {each.name: archive.extractfile(each).read() for each in found} == members  # type: ignore[union-attr]
    assert [(each.mode, each.mtime, each.uid, each.uname) for each in found] == [
        (0o600, 7, 0, ""),
        (0o755, 7, 0, ""),
        (0o600, 7, 0, ""),
    ]


@pytest.mark.parametrize("size", [0, (1 << 33) - 1, 1 << 33, 5 << 40])
def test_any_size_is_written_as_tarfile_reads_it(size: int) -> None:
    block = tar.header(Member(name="image", size=size))

    found = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    ours = reader(block).next()

    assert found.size == size
    assert ours == Member(name="image", size=size, mode=0o600, mtime=0)


def test_name_longer_than_a_header_holds_is_not_written() -> None:
    tar.header(Member(name="n" * 100, size=0))

    with pytest.raises(ArtifactError, match="longer than the 100 B"):
        tar.header(Member(name="n" * 101, size=0))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@settings(deadline=None, max_examples=60)
@given(files=st.dictionaries(NAMES, st.binary(max_size=1200), max_size=5))
def test_what_tarfile_writes_is_read(form: int, files: dict[str, bytes]) -> None:
    file = io.BytesIO()
    written = {}
    with tarfile.open(fileobj=file, mode="w:", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            try:
                archive.addfile(info, io.BytesIO(content))
            except ValueError:  # too long for ustar
                continue
            written[name] = content

    found = contents(file.getvalue())

    assert dict(found) == written
    assert len(found) == len(written)


def test_content_that_is_left_unread_is_passed_over() -> None:
    source = reader(
        made(
            (
                Entry(name="a", content=b"x" * 1000),
                Entry(name="b", content=b"y"),
                Entry(name="c", content=b""),
            )
        )
    )

    names = [member.name for member in iter(source.next, None)]

    assert names == ["a", "b", "c"]


def test_content_that_is_read_in_part_is_passed_over() -> None:
    source = reader(made((Entry(name="a", content=b"x" * 600_000), Entry(name="b", content=b"y"))))
    source.next()
    first = next(source.chunks())

    member = source.next()

    assert len(first) < 600_000
    assert member == Member(name="b", size=1, mode=0o600, mtime=0)
    assert b"".join(source.chunks()) == b"y"


def test_content_continues_at_a_place_behind_what_was_read_and_not_before_it() -> None:
    content = bytes(range(256)) * 2400
    source = reader(made((Entry(name="a", content=content), Entry(name="b", content=b"y"))))
    source.next()
    first = next(source.chunks())

    with pytest.raises(ArtifactError, match=r"byte 1 of 'a' has been read already"):
        source.chunks(1)
    rest = b"".join(source.chunks(len(first) + 1000))

    assert rest == content[len(first) + 1000 :]
    assert source.next() == Member(name="b", size=1, mode=0o600, mtime=0)


def test_small_member_is_read_whole_and_a_large_one_refused() -> None:
    data = made((Entry(name="a", content=b"x" * 100),))

    source = reader(data)
    member = source.next()
    assert member
    assert source.read(member, 100) == b"x" * 100

    with pytest.raises(ArtifactError, match="'a' has 100 B; at most 99 B allowed"):
        source.read(member, 99)


def test_directories_are_given_where_they_are_allowed() -> None:
    data = made((Entry(name="a/", kind=b"5"), Entry(name="a/b", content=b"x")))

    source = reader(data, directories=True)
    members = [(member.name, member.is_directory) for member in iter(source.next, None)]

    assert members == [("a/", True), ("a/b", False)]
    with pytest.raises(ArtifactError, match="'a/' is a directory"):
        reader(data).next()


def test_directory_with_content_is_refused() -> None:
    data = made((Entry(name="a/", content=b"x", kind=b"5"),))

    with pytest.raises(ArtifactError, match="is a directory"):
        reader(data, directories=True).next()


def test_old_kind_of_a_regular_file_is_read() -> None:
    assert contents(made((Entry(name="a", content=b"x", kind=b"\0"),))) == [("a", b"x")]


def test_long_name_or_pax_counts_and_both_are_refused() -> None:
    long = Entry(name="././@LongLink", content=b"long\0", kind=b"L")
    record = Entry(name="pax", content=b"12 path=pax\n", kind=b"x")
    file = Entry(name="short", content=b"x")

    assert contents(made((record, file))) == [("pax", b"x")]
    assert contents(made((long, file))) == [("long", b"x")]
    for both in ((long, record), (record, long)):
        with pytest.raises(ArtifactError, match="too many extension headers before one file"):
            contents(made((*both, file)))


def test_name_of_1024_bytes_is_read_and_a_longer_one_refused() -> None:
    for length in (1024, 1025):
        name = "n" * length
        for extension in (Entry(name="L", content=name.encode(), kind=b"L"), pax(path=name)):
            data = made((extension, Entry(name="a")))
            if length == 1024:
                assert contents(data) == [(name, b"")]
                continue
            with pytest.raises(ArtifactError, match="is too long or contains a NUL"):
                contents(data)


@pytest.mark.parametrize("size", ["", " ", "9" * 21, "9" * 1000, "0x8", "1_0", "-1", "8.0"])
def test_pax_size_that_is_not_a_number_is_refused(size: str) -> None:
    with pytest.raises(ArtifactError, match=r"the pax size .* is not a number"):
        contents(made((pax(size=size), Entry(name="a", content=b"content\n"))))

    assert contents(made((pax(size="8"), Entry(name="a", content=b"content\n")))) == [
        ("a", b"content\n")
    ]


def test_extensions_count_for_one_file_only() -> None:
    record = Entry(name="pax", content=b"12 path=pax\n", kind=b"x")

    assert [name for name, _ in contents(made((record, Entry(name="a"), Entry(name="b"))))] == [
        "pax",
        "b",
    ]


def test_ustar_prefix_is_part_of_the_name() -> None:
    assert contents(made((Entry(name="b", content=b"x", prefix=b"a"),))) == [("a/b", b"x")]


def test_end_needs_two_blocks_of_zeros_and_nothing_more() -> None:
    assert contents(END) == []
    assert contents(END + bytes(9 * BLOCK)) == []
    for data in (b"", END[:BLOCK], END[:-1]):
        with pytest.raises(ArtifactError, match="truncated"):
            contents(data)
    with pytest.raises(ArtifactError, match="data after its end"):
        contents(END + b"x")


def test_error_says_where_it_is() -> None:
    data = made((Entry(name="a", content=b"x"), Entry(name="b", content=b"y", checksum=1)))

    with pytest.raises(ArtifactError, match=r"^x\.tar: a header's checksum .*near byte 1536 "):
        contents(data)
