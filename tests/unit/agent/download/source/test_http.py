# SPDX-License-Identifier: Apache-2.0
"""Over real connections, whatever they do: the same bytes, or an error that says why."""

import email.utils
import socket
from dataclasses import replace

import pytest
import urllib3

from ota_agent.download.source.retry import Changed
from ota_agent.errors import AgentError
from tests.simulators.file_server import FileServer, Manner, file_server, moved
from tests.simulators.proxy import proxy
from tests.unit.agent.download.source.reading import CONTENT, OPTIONS, Reading


def test_a_file_is_read_in_one_go(server: FileServer) -> None:
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert reading.source.size == len(CONTENT)
    assert reading.source.received == len(CONTENT) == reading.source.offset
    assert len(server.requests) == 1
    assert (reading.told, reading.time.slept) == ([], [])
    assert reading.source.read(1) == b""


@pytest.mark.parametrize(
    "fault",
    [
        Manner(reset_after=150_000),
        Manner(close_after=150_000),
        Manner(reset_after=150_000, is_chunked=True),
    ],
)
def test_a_lost_connection_continues_where_it_was(server: FileServer, fault: Manner) -> None:
    server.next = [fault]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    (second,) = server.requests[1:]
    assert 0 < second.start <= 150_000
    assert second.if_range == '"1"'
    assert reading.told == [f"resumed at {second.start} B after a lost connection"]
    assert reading.source.received == len(CONTENT)


def test_a_connection_that_is_silent_is_taken_for_lost(server: FileServer) -> None:
    server.next = [Manner(stall_after=150_000)]
    reading = Reading(server.url, replace(OPTIONS, inactivity=0.2))

    assert reading.rest() == CONTENT
    assert [each.start for each in server.requests] == [0, 150_000]


def test_each_connection_may_bring_only_a_little(server: FileServer) -> None:
    server.manner = Manner(reset_after=len(CONTENT) // 100)
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert 100 <= len(server.requests) <= 102


def test_a_server_that_is_not_there_yet_is_waited_for(server: FileServer) -> None:
    server.next = [Manner(reset_after=-1)] * 3 + [Manner(status=503), Manner(status=500)]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert reading.time.now - 1000 == pytest.approx(2 + 4 + 8 + 16 + 32)


def test_a_server_that_never_comes_ends_the_budget_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    reading = Reading(f"http://127.0.0.1:{port}/a.mender?signed=secret")

    with pytest.raises(AgentError) as failure:
        reading.rest()

    assert f"http://127.0.0.1:{port}/a.mender: not one new byte for" in str(failure.value)
    assert "refused" in str(failure.value)
    assert "secret" not in str(failure.value)
    assert 600 <= reading.time.now - 1000 <= 1100


def test_no_progress_is_not_forgiven_by_bytes_that_are_known(server: FileServer) -> None:
    server.manner = Manner(has_ranges=False, reset_after=200_000)
    reading = Reading(server.url)

    with pytest.raises(AgentError, match="not one new byte for"):
        reading.rest()


@pytest.mark.parametrize("is_date", [False, True])
def test_retry_after_is_obeyed(server: FileServer, is_date: bool) -> None:
    reading = Reading(server.url)
    when = email.utils.formatdate(reading.time.now + 40, usegmt=True) if is_date else "40"
    server.next = [Manner(status=429, headers={"Retry-After": when})]

    assert reading.rest() == CONTENT
    assert 40 <= reading.time.now - 1000 <= 50


@pytest.mark.parametrize("words", ["soon", "Mon, 01 Jan 2020 00:00:00 +9999999999999"])
def test_retry_after_that_is_nothing_is_as_none(server: FileServer, words: str) -> None:
    server.next = [Manner(status=503, headers={"Retry-After": words})]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert reading.time.now - 1000 == pytest.approx(2)


# Ranges, and files that change.


def test_a_server_without_ranges_is_read_over(server: FileServer) -> None:
    server.manner = Manner(has_ranges=False)
    server.next = [Manner(reset_after=150_000)]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    known = server.requests[1].start
    assert reading.told == [f"the server ignores ranges: reading over {known} B"]
    assert reading.source.received == len(CONTENT) + known


@pytest.mark.parametrize("wrong", ["bytes 1-399999/400000", "bytes 0-399999/400000", "nonsense"])
def test_wrong_ranges_are_not_taken_and_not_asked_for_again(server: FileServer, wrong: str) -> None:
    server.next = [
        Manner(reset_after=150_000),
        Manner(headers={"Content-Range": wrong}),
        Manner(reset_after=250_000),
    ]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert [request.start > 0 for request in server.requests] == [False, True, False, False]


def test_a_file_that_has_changed_is_begun_again(server: FileServer) -> None:
    server.next = [Manner(close_after=150_000)]
    reading = Reading(server.url)
    first = reading.source.read(500)
    while reading.source.offset < 100_000:
        reading.source.read(1000)
    server.content, server.etag = CONTENT[::-1], '"2"'

    with pytest.raises(Changed, match="the server's file has changed"):
        reading.rest()
    reading.source.rewind()

    assert first == CONTENT[:500]
    assert reading.rest() == CONTENT[::-1]


def test_a_file_with_nothing_to_know_it_by_is_resumed_by_its_length() -> None:
    with file_server(CONTENT, etag="") as server:
        server.next = [Manner(reset_after=150_000)]
        reading = Reading(server.url)

        assert reading.rest() == CONTENT
        assert server.requests[1].if_range == ""
        assert server.requests[1].start > 0


def test_a_file_with_a_date_alone_is_known_by_it() -> None:
    date = "Mon, 23 Nov 2026 10:00:00 GMT"
    with file_server(CONTENT, etag="", modified=date) as server:
        server.next = [Manner(reset_after=150_000)]
        reading = Reading(server.url)

        assert reading.rest() == CONTENT
        assert server.requests[1].if_range == date


def test_neither_ranges_nor_anything_to_know_it_by_is_begun_again_once() -> None:
    with file_server(CONTENT, etag="") as server:
        server.manner = Manner(has_ranges=False)
        server.next = [Manner(has_ranges=False, reset_after=150_000)]
        reading = Reading(server.url)

        with pytest.raises(Changed, match="does not say whether its file is still the same"):
            reading.rest()
        reading.source.rewind()
        reading.source.skip(150_000)  # in the same answer: that is the same file

        assert reading.rest() == CONTENT[150_000:]
        assert len(server.requests) == 3


def test_skipping_asks_for_what_is_behind(server: FileServer) -> None:
    reading = Reading(server.url)
    head = reading.source.read(100)
    at = len(head)

    reading.source.skip(300_000 - at)

    assert reading.rest() == CONTENT[300_000:]
    assert [each.start for each in server.requests] == [0, 300_000]
    assert server.requests[1].if_range == '"1"'
    assert (reading.told, reading.time.slept) == ([], [])


def test_skipping_a_little_reads_over_it(server: FileServer) -> None:
    reading = Reading(server.url)
    at = len(reading.source.read(100))

    reading.source.skip(1000)

    assert reading.rest() == CONTENT[at + 1000 :]
    assert len(server.requests) == 1


# What is refused.


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "answers 403: it is not allowed; a signed address may have expired; correct the"),
        (404, "answers 404: it is not there"),
        (400, "answers 400; correct the address or the server"),
    ],
)
def test_a_file_that_the_server_does_not_give_is_not_waited_for(
    server: FileServer, status: int, said: str
) -> None:
    server.manner = Manner(status=status)
    reading = Reading(server.url)

    with pytest.raises(AgentError, match=said):
        reading.rest()

    assert reading.time.slept == []
    assert len(server.requests) == 1


def test_a_body_that_is_encoded_is_refused(server: FileServer) -> None:
    server.manner = Manner(headers={"Content-Encoding": "gzip"})

    with pytest.raises(AgentError, match="encodes it as 'gzip'; have it send the file as it is"):
        Reading(server.url).rest()


def test_redirects_are_followed_and_each_new_connection_begins_at_the_first(
    server: FileServer,
) -> None:
    server.next = [
        moved("/b?signed=1"),
        moved(server.url.replace("a.mender", "c"), 307),
        Manner(reset_after=100_000),
        moved("/d", 303),
    ]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    paths = [each.path for each in server.requests]
    assert paths == ["/a.mender", "/b?signed=1", "/c", "/a.mender", "/d"]
    assert server.requests[4].start > 0


def test_redirects_without_end_are_refused(server: FileServer) -> None:
    server.manner = moved("/again")

    with pytest.raises(AgentError, match="was redirected more than 10 times"):
        Reading(server.url).rest()

    assert len(server.requests) == 11


def test_a_redirect_to_something_else_is_refused(server: FileServer) -> None:
    server.manner = moved("file:///etc/passwd")

    with pytest.raises(AgentError, match="is redirected to file:///etc/passwd, and"):
        Reading(server.url).rest()


def test_an_abort_ends_it_between_two_reads(server: FileServer) -> None:
    reading = Reading(server.url)
    reading.source.read(1000)
    reading.time.aborted = AgentError("aborted")

    with pytest.raises(AgentError, match="aborted"):
        reading.source.read(1000)


# The rest.


def test_the_limit_on_bandwidth_holds(server: FileServer) -> None:
    reading = Reading(server.url, replace(OPTIONS, bandwidth=100_000))

    assert reading.rest() == CONTENT
    assert reading.time.now - 1000 == pytest.approx(len(CONTENT) / 100_000, rel=0.1)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_older_urllib3_loses_nothing(
    server: FileServer, monkeypatch: pytest.MonkeyPatch, is_chunked: bool
) -> None:
    """Debian 12 has 1.26, whose responses have no read1."""
    for each in urllib3.HTTPResponse.__mro__:
        if "read1" in vars(each):
            monkeypatch.delattr(each, "read1")
    server.manner = Manner(close_after=4_000, is_chunked=is_chunked)
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert len(server.requests) == 100


def test_a_proxy_of_the_environment_is_used_and_passed_by(server: FileServer) -> None:
    with proxy() as between:
        place = f"http://127.0.0.1:{between.port}"
        first = Reading(server.url, environment={"HTTP_PROXY": place})
        second = Reading(server.url, environment={"http_proxy": place, "NO_PROXY": "127.0.0.1"})

        assert first.rest() == second.rest() == CONTENT
        assert [target for _, target, _ in between.requests] == [server.url]


PORTAL = Manner(page=b"<html>Log in</html>", headers={"Content-Type": "text/html; charset=utf-8"})


@pytest.mark.parametrize(
    "portal",
    [
        PORTAL,
        Manner(page=b"\xef\xbb\xbf\r\n <!DOCTYPE html>" + b"x" * 9000),
        Manner(page=b"<?xml version='1.0'?><Error/>"),
        replace(PORTAL, is_chunked=True),
        Manner(page=b"OK", headers={"Content-Type": "text/plain"}),
        Manner(page=b'{"status":"ok"}', headers={"Content-Type": "application/json"}),
        Manner(page=b"OK"),
        Manner(page=b"OK", is_chunked=True),
        Manner(page=b""),
        Manner(page=b"Log in to this network. " * 100),
        Manner(page=b"Log in to this network. " * 999, headers={"Content-Type": "text/plain"}),
        Manner(page=b"// log in" + b" " * 9999, headers={"Content-Type": "application/javascript"}),
        replace(PORTAL, headers={**PORTAL.headers, "Content-Encoding": "gzip"}),
        Manner(status=204),
    ],
)
def test_a_page_in_place_of_the_artifact_is_waited_out(server: FileServer, portal: Manner) -> None:
    server.next = [portal] * 3
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert len(reading.time.slept) >= 3


def test_a_page_in_place_of_the_rest_loses_nothing(server: FileServer) -> None:
    server.next = [Manner(close_after=150_000), PORTAL, PORTAL]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert [each.start for each in server.requests] == [0, 150_000, 150_000, 150_000]


def test_a_word_in_place_of_the_rest_loses_nothing(server: FileServer) -> None:
    server.next = [Manner(close_after=150_000), Manner(page=b"OK"), Manner(page=b"")]
    reading = Reading(server.url)

    assert reading.rest() == CONTENT
    assert [each.start for each in server.requests] == [0, 150_000, 150_000, 150_000]


def test_a_page_that_stays_ends_the_budget_with_the_reason(server: FileServer) -> None:
    server.manner = PORTAL

    with pytest.raises(AgentError, match="a web page in place of the artifact: must a user log"):
        Reading(server.url).rest()


def test_an_artifact_that_the_server_takes_for_a_text_is_taken(server: FileServer) -> None:
    text = {"Content-Type": "text/html"}
    server.next = [Manner(headers=text, reset_after=150_000)]
    server.manner = Manner(headers=text)

    assert Reading(server.url).rest() == CONTENT
