# SPDX-License-Identifier: Apache-2.0
"""JSON as artifacts hold it."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_artifact.errors import ArtifactError
from ota_artifact.json_text import format_object, parse_object

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_object_comes_back(value: dict[str, object]) -> None:
    assert parse_object(format_object(value), "x") == value


def test_object_is_written_without_spaces_and_sorted_on_request() -> None:
    assert format_object({"b": 1, "a": ["\u00e9", 2.5]}) == '{"b":1,"a":["\u00e9",2.5]}'.encode()
    assert format_object({"b": 1, "a": 2}, sort=True) == b'{"a":2,"b":1}'


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"udcff' is not UTF-8"):
        format_object({"key": "\udcff"})


def test_whole_numbers_keep_all_their_digits() -> None:
    raw = b'{"a":12345678901234567890123}'

    assert format_object(parse_object(raw, "x")) == raw


@pytest.mark.parametrize(
    ("raw", "finding"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"{}{}", "is not JSON"),
        (b"{'a':1}", "is not JSON"),
        (b'{"a":1,}', "is not JSON"),
        (b'{"a":01}', "is not JSON"),
        (b'{"a":"\n"}', "is not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"a":NaN}', "NaN is not a JSON number"),
        (b'{"a":-Infinity}', "-Infinity is not a JSON number"),
        (b'{"a":-1e400}', "too large for a number"),
        (b'{"a":' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"a":1,"a":1}', "the key 'a' appears twice"),
        (b'{"a":{"b":1,"c":2,"b":3}}', "the key 'b' appears twice"),
        (b'{"a":1,"\\u0061":2}', "the key 'a' appears twice"),
        (b'{"a":"\xff"}', "is not UTF-8"),
        ('{"a":"é"}'.encode("latin-1"), "is not UTF-8"),
        (b'{"a":"\\ud800"}', "is not UTF-8"),
        (b'{"\\udfff":1}', "is not UTF-8"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not JSON"),
        (b'{"a":' + b"[" * 100_000, "is not JSON"),
    ],
    ids=range(24),
)
def test_what_is_not_an_object_is_refused(raw: bytes, finding: str) -> None:
    with pytest.raises(ArtifactError, match=f"^x: .*{finding}"):
        parse_object(raw, "x")


def test_key_that_appears_twice_among_many_is_found_at_once() -> None:
    keys = [f"{number:x}" for number in range(100_000)]
    raw = json.dumps(dict.fromkeys(keys, 0)).encode()[:-1] + b',"z":0,"z":0}'
    start = time.monotonic()

    with pytest.raises(ArtifactError, match="'z' appears twice"):
        parse_object(raw, "x")

    assert time.monotonic() - start < 5
