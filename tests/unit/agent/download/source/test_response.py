# SPDX-License-Identifier: Apache-2.0
"""What a server's answer means. Source: RFC 9110."""

import pytest

from ota_agent.download.source.response import (
    Answer,
    Body,
    File,
    Later,
    Moved,
    Other,
    Refused,
    WrongRange,
    judge,
)

KNOWN = File(1000, '"a"', "Mon, 23 Nov 2026 10:00:00 GMT")
WHOLE = {"Content-Length": "1000", "ETag": '"a"'}
PART = {"Content-Range": "bytes 400-999/1000", "ETag": '"a"'}


def test_the_whole_file_is_taken_with_what_makes_it_known_again() -> None:
    answer = judge(200, {**WHOLE, "Last-Modified": "x"}, 0, None)

    assert answer == Body(File(1000, '"a"', "x"), 0)


def test_a_length_that_is_not_a_number_is_not_believed() -> None:
    for length in ("", "-1", "1e9", "٣", "1" * 19, "5, 5"):
        assert judge(200, {"Content-Length": length}, 0, None) == Body(File(None), 0)


def test_the_rest_of_the_same_file_is_taken() -> None:
    assert judge(206, PART, 400, KNOWN) == Body(File(1000, '"a"'), 400)
    assert judge(206, {"Content-Range": "bytes 400-999/*"}, 400, KNOWN) == Body(File(1000), 400)
    assert judge(206, {"Content-Range": "bytes 400-499/1000"}, 400, KNOWN) == Body(File(1000), 400)


def test_a_server_that_ignores_ranges_gives_the_same_file_from_its_start() -> None:
    assert judge(200, WHOLE, 400, KNOWN) == Body(File(1000, '"a"'), 0)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Content-Length": "1000", "ETag": '"b"'}),
        (200, {"Content-Length": "999", "ETag": '"a"'}),
        (200, {"Content-Length": "1000", "Last-Modified": "Tue, 24 Nov 2026 10:00:00 GMT"}),
        (206, {**PART, "ETag": '"b"'}),
        (206, {"Content-Range": "bytes 400-1000/1001"}),
        (416, {"Content-Range": "bytes */300"}),
    ],
)
def test_another_file_is_recognised(status: int, headers: dict[str, str]) -> None:
    answer = judge(status, headers, 400, KNOWN)

    assert isinstance(answer, Other)
    assert answer.why == "the server's file has changed"


def test_a_file_that_cannot_be_recognised_is_not_taken_for_the_same() -> None:
    answer = judge(200, {"Content-Length": "1000"}, 400, KNOWN)

    assert isinstance(answer, Other)
    assert "does not say whether" in answer.why


def test_a_weak_etag_says_nothing_of_bytes() -> None:
    found = judge(200, {"Content-Length": "9", "ETag": 'W/"a"'}, 0, None)

    assert found == Body(File(9), 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes 401-999/1000",
        "bytes 0-999/1000",
        "bytes 400-1000/1000",
        "bytes 400-399/1000",
        "bytes 400-999",
        "items 400-999/1000",
        "bytes 400-999/1000, bytes 0-1/1000",
        "bytes -1-999/1000",
    ],
)
def test_a_wrong_range_is_not_written_anywhere(text: str) -> None:
    answer = judge(206, {**PART, "Content-Range": text}, 400, KNOWN)

    assert isinstance(answer, WrongRange)
    assert "byte 400" in answer.why


def test_a_part_that_nobody_asked_for_is_wrong() -> None:
    assert isinstance(judge(206, {"Content-Range": "bytes 0-999/1000"}, 0, None), WrongRange)


def test_nothing_behind_an_offset_inside_the_file_is_wrong() -> None:
    assert isinstance(judge(416, {"Content-Range": "bytes */1000"}, 400, KNOWN), WrongRange)
    assert isinstance(judge(416, {}, 400, KNOWN), WrongRange)


@pytest.mark.parametrize("status", [408, 421, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_waited_for(status: int) -> None:
    answer = judge(status, {"Retry-After": "17"}, 0, None)

    assert answer == Later(f"the server answers {status}", "17")


@pytest.mark.parametrize("status", [202, 203, 204, 205])
def test_a_success_without_the_file_is_waited_out(status: int) -> None:
    answer = judge(status, {}, 0, None)

    assert answer == Later(f"the server answers {status}, and does not give the artifact")


@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 405, 410, 412, 416, 451])
def test_what_does_not_pass_is_refused(status: int) -> None:
    answer = judge(status, {"Retry-After": "17"}, 0, None)

    assert isinstance(answer, Refused)
    assert f"answers {status}" in answer.why


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_says_where_to(status: int) -> None:
    assert judge(status, {"Location": "/b"}, 0, None) == Moved("/b")
    assert isinstance(judge(status, {}, 0, None), Refused)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_body_that_is_not_the_file_is_refused(encoding: str) -> None:
    answer: Answer = judge(200, {**WHOLE, "Content-Encoding": encoding}, 0, None)

    assert isinstance(answer, Refused)
    assert judge(200, {**WHOLE, "Content-Encoding": "Identity"}, 0, None) == Body(
        File(1000, '"a"'), 0
    )
