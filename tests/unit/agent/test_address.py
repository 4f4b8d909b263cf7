# SPDX-License-Identifier: Apache-2.0
"""An address is shown without what is secret in it."""

import copy
import json
import logging
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_agent.address import Address, hide, hide_words

SECRET = "https://ada:s3cret@updates.example.com:8443/v2.mender?X-Sig=abc#X-Sig=abc"
SHOWN = "https://updates.example.com:8443/v2.mender"


@dataclass(frozen=True)
class Holder:
    address: Address


@pytest.mark.parametrize(
    "text",
    [
        str(Address(SECRET)),
        f"{Address(SECRET)}",
        "%s" % Address(SECRET),  # noqa: UP031 - as logging does it
        f"{Address(SECRET):}",
    ],
)
def test_as_text_it_has_neither_login_nor_query(text: str) -> None:
    assert text == SHOWN


def test_a_repr_of_what_holds_it_shows_no_more() -> None:
    assert repr(Holder(Address(SECRET))) == f"Holder(address=Address('{SHOWN}'))"


def test_a_log_shows_no_more(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.info("fetching %s, %r", Address(SECRET), Address(SECRET))

    assert caplog.messages == [f"fetching {SHOWN}, Address('{SHOWN}')"]


def test_all_of_it_is_had_by_name_only() -> None:
    assert Address(SECRET).full == SECRET
    with pytest.raises(TypeError):
        json.dumps({"address": Address(SECRET)})


def test_equal_are_those_that_lead_to_the_same() -> None:
    assert Address(SECRET) == copy.deepcopy(Address(SECRET))
    assert hash(Address(SECRET)) == hash(Address(SECRET))
    assert Address(SECRET) != Address(SHOWN)
    assert Address(SHOWN) != SHOWN


@pytest.mark.parametrize(
    ("full", "shown"),
    [
        ("/media/usb/v2.mender", "/media/usb/v2.mender"),
        ("/data/what?#@.mender", "/data/what?#@.mender"),
        ("-", "-"),
        ("http://h", "http://h"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("http://a:b@[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("HTTPS://Ada@H/A", "HTTPS://H/A"),
        ("ftp://ada:s3cret@h/a", "ftp://h/a"),
        ("https://h?X-Sig=abc", "https://h"),
        # What cannot be read: where a login ends in it is not known.
        ("http://ada:s3/cret@h/a", "http://…"),
        ("http://ada:s3?cret@h/a", "http://…"),
        ("http://ada:s3cret h/a", "http://…"),
        ("http://[x", "http://…"),
        ("http:/ada:s3cret@h/a?X-Sig=abc", "http://h/a"),
        ("https:ada:s3cret@h/a", "https://h/a"),
        (" http://ada:s3cret@h/a", "http://h/a"),
        ("ada:s3cret@h/a", "h/a"),
        ("see http://ada:s3cret@h/a", "see http://h/a"),
        # Mistyped: any of them may be meant as an address with a login.
        ("htp:/ada:s3cret@h/a?X-Sig=abc", "h/a"),
        ("//ada:s3cret@h/a?X-Sig=abc", "h/a"),
        ("http//ada:s3cret@h/a", "h/a"),
        ("http;//ada:s3/cret@h/a", "h/a"),
        ("http%3A//ada:s3cret@h/a", "h/a"),
        ("h/a?X-Sig=abc", "h/a"),
        ("ftp:/bob:s3cret@h/x?Sig=abc", "h/x"),
        ("mailto:bob:s3cret@h?Sig=abc", "h"),
        (r"http:\\bob:s3cret@h\x?Sig=abc", "http://…"),
        (r"http://h:80/\\bob:s3cret@h\x", "http://…"),
    ],
)
def test_what_is_left_of_an_address(full: str, shown: str) -> None:
    assert str(Address(full)) == shown


def test_an_error_of_a_library_has_its_addresses_shortened() -> None:
    text = f"Failed to parse: {SECRET!r} (from 'http://a:b@proxy:3128'), see RFC 3986"

    assert hide(text) == f"Failed to parse: '{SHOWN}' (from 'http://proxy:3128'), see RFC 3986"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "unrecognized arguments: --rebot http://a:b@h/?X=1",
            "unrecognized arguments: --rebot http://h/",
        ),
        ("ignored explicit argument 'http://a:b@h/?X=1'", "ignored explicit argument 'http://h/'"),
        ("--plain=a:b@h --x=h/?X=1", "--plain=h --x=h/"),
        ("argument --policy: invalid choice: 'x'", "argument --policy: invalid choice: 'x'"),
    ],
)
def test_words_of_a_command_line_are_shown_without_secrets(text: str, shown: str) -> None:
    assert hide_words(text) == shown


@pytest.mark.parametrize(
    ("full", "scheme", "is_web"),
    [
        ("https://h/a", "https", True),
        ("HTTP://h", "http", True),
        ("ftp://h/a", "ftp", False),
        ("https:///a", "https", False),
        ("http://[x", "http", False),
        ("/a", "", False),
    ],
)
def test_what_it_is_an_address_of(full: str, scheme: str, is_web: bool) -> None:
    assert (Address(full).scheme, Address(full).is_web) == (scheme, is_web)


@pytest.mark.parametrize("start", ["https://server/", "ion:", "/path/", "https:"])
def test_an_address_is_not_shown_without_end(start: str) -> None:
    assert len(str(Address(start + "a" * 65536))) < 1100


def test_a_long_text_is_looked_through_in_no_time() -> None:
    assert hide("x" * 1_000_000) == "x" * 1_000_000


@settings(max_examples=50)
@given(st.text(), st.sampled_from(["http://", "https://", "", "ftp://", "http:/"]))
def test_any_text_can_be_shown(text: str, scheme: str) -> None:
    assert "?" not in str(Address(f"http://h/{text}"))
    assert isinstance(str(Address(scheme + text)), str)
