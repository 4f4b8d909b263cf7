# SPDX-License-Identifier: Apache-2.0
"""The manifest; what is refused is in tests/golden."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_artifact.compression import Codec
from ota_artifact.errors import ArtifactError
from ota_artifact.manifest import format_manifest, parse_manifest

A, B, C = "a" * 64, "b" * 64, "c" * 64
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
FILES = st.dictionaries(
    st.tuples(
        st.integers(0, 9999),
        st.text("azAZ09_-.,", min_size=1, max_size=90).filter(lambda name: name not in {".", ".."}),
    ),
    DIGESTS,
    max_size=8,
)


def test_manifest_is_written_in_the_order_of_mender_artifact() -> None:
    raw = format_manifest({(0, "b"): A, (0, "a"): B}, ("header.tar.gz", C), A)

    assert raw.decode() == (
        f"{A}  data/0000/b\n{B}  data/0000/a\n{C}  header.tar.gz\n{A}  version\n"
    )


@given(files=FILES, codec=st.sampled_from(Codec), header=DIGESTS, version=DIGESTS)
def test_what_is_written_is_read(
    files: dict[tuple[int, str], str], codec: Codec, header: str, version: str
) -> None:
    raw = format_manifest(files, (f"header.tar{codec.value}", header), version)

    manifest = parse_manifest(raw)

    assert manifest.files == files
    assert list(manifest.files) == list(files)
    assert (manifest.header, manifest.version, manifest.raw) == (header, version, raw)
    assert manifest.header_codec is codec
    assert manifest.header_name == f"header.tar{codec.value}"


def test_any_order_is_read() -> None:
    manifest = parse_manifest(f"{A}  version\n{B}  data/9999/x\n{C}  header.tar\n".encode())

    assert (manifest.version, manifest.header) == (A, C)
    assert manifest.files == {(9999, "x"): B}


@given(st.binary(max_size=300))
def test_any_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactError, match="manifest:"):
        parse_manifest(raw)


def test_error_names_the_line() -> None:
    with pytest.raises(ArtifactError, match=r"manifest:2: 'data/0000/x' is listed twice"):
        parse_manifest(f"{A}  data/0000/x\n{B}  data/0000/x\n".encode())
