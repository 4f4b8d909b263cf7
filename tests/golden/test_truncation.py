# SPDX-License-Identifier: Apache-2.0
"""An artifact that ends too early is refused, wherever it ends."""

import random
from dataclasses import replace

import pytest

from ota_artifact.errors import ArtifactError
from tests.golden.accepted import SCRIPTS
from tests.golden.cases import read_all
from tests.golden.draft import BLOCK, Draft, Entry, squeeze, tar

SUFFIXES = ("", ".gz", ".xz", ".zst")
CONTENT = random.Random(1).randbytes(3 * BLOCK + 1) + bytes(5 * BLOCK)
DRAFT = replace(
    SCRIPTS,
    payloads=(
        (Entry(name="one", content=CONTENT), Entry(name="two", content=b"2"), Entry(name="none")),
    ),
)


def boundaries(entries: tuple[Entry, ...]) -> list[int]:
    """Where the members of a tar begin and end, and the two blocks of its end."""
    places = [0]
    for entry in entries:
        places += [places[-1] + BLOCK, places[-1] + len(entry.packed())]
    return sorted({*places, places[-1] + BLOCK})


def draft(suffix: str) -> Draft:
    return replace(DRAFT, suffix=suffix)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_artifact_that_is_not_truncated_is_accepted(suffix: str) -> None:
    artifact, files = read_all(draft(suffix).built())

    assert artifact.is_checked
    assert files[0, "one"] == CONTENT


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_outer_tar_that_ends_at_a_boundary_is_refused(suffix: str) -> None:
    content = draft(suffix).built()
    places = boundaries(tuple(draft(suffix).members.values()))

    for end in places:
        with pytest.raises(ArtifactError, match="truncated"):
            read_all(content[:end])

    assert len(content) == places[-1] + BLOCK


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_artifact_that_ends_at_any_byte_is_refused(suffix: str) -> None:
    content = draft(suffix).built()
    ends = random.Random(2).sample(range(len(content)), 200)

    for end in ends:
        with pytest.raises(ArtifactError, match="truncated"):
            read_all(content[:end])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_header_tar_that_ends_at_a_boundary_is_refused(suffix: str) -> None:
    header = DRAFT.header
    whole = tar(header)

    for end in boundaries(header):
        short = replace(draft(suffix), packed_header=squeeze(whole[:end], suffix))
        with pytest.raises(ArtifactError, match="truncated"):
            read_all(short.built())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_packed_header_that_ends_at_any_byte_is_refused(suffix: str) -> None:
    packed = draft(suffix).header_tar.content
    ends = random.Random(3).sample(range(len(packed)), 200)

    for end in ends:
        with pytest.raises(ArtifactError, match="truncated"):
            read_all(replace(draft(suffix), packed_header=packed[:end]).built())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_data_tar_that_ends_at_a_boundary_is_refused(suffix: str) -> None:
    entries = DRAFT.payloads[0]
    whole = tar(entries)

    for end in boundaries(entries):
        with pytest.raises(ArtifactError, match="truncated"):
            read_all(draft(suffix).with_data(squeeze(whole[:end], suffix)))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_packed_data_that_ends_at_any_byte_is_refused(suffix: str) -> None:
    members = draft(suffix).members
    packed = members[f"data/0000.tar{suffix}"]
    ends = random.Random(4).sample(range(len(packed.content)), 200)

    for end in ends:
        short = replace(packed, content=packed.content[:end])
        with pytest.raises(ArtifactError, match="truncated"):
            read_all(tar(tuple((members | {str(packed.name): short}).values())))


@pytest.mark.parametrize("size", [1, 7, 512, 4096])
def test_short_reads_of_a_socket_change_nothing(size: int) -> None:
    content = draft(".gz").built()

    artifact, files = read_all(content, longest=size)

    assert artifact.is_checked
    assert files[0, "one"] == CONTENT
