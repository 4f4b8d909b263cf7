# SPDX-License-Identifier: Apache-2.0
"""Text from outside is visible, in one line or in lines that cannot be taken for ours."""

import io
import json
import unicodedata

import pytest

from ota_artifact.names import printable
from ota_artifact.terminal import Guarded, Steered, indented, steer

EVIL = [
    chr(number)
    for number in range(0x30000)
    if unicodedata.category(chr(number)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
]


@pytest.mark.parametrize("text", ["", "plain", "Zürich, Πάτρα, 東京 😀", "a\\nb", "(50 %)"])
def test_a_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == indented(text) == text


def test_no_character_that_steers_is_left() -> None:
    assert len(EVIL) > 2000

    assert printable("".join(EVIL)).isprintable()
    assert indented("".join(EVIL)).replace("\n", "").isprintable()


def test_what_was_made_visible_stays_as_it_is() -> None:
    assert printable(printable("\x1b[2J")) == printable("\x1b[2J") == "\\x1b[2J"


def test_a_line_after_the_first_is_indented() -> None:
    assert indented("a\nota-agent: b\r\n\tc") == "a\n    ota-agent: b\n     c"


def test_json_stays_json_with_its_meaning() -> None:
    text = json.dumps({"name": "".join(EVIL)})

    assert json.loads(printable(text)) == json.loads(text)


def guarded() -> tuple[Guarded, io.BytesIO]:
    raw = io.BytesIO()
    return Guarded(raw, "utf-8", "backslashreplace"), raw


def test_a_stream_shows_what_is_not_a_text() -> None:
    stream, raw = guarded()

    print("a\x1bb\tc\r", file=stream, flush=True)

    assert raw.getvalue() == b"a\\x1bb\tc\\r\n"


def test_our_own_sequences_pass() -> None:
    stream, raw = guarded()

    steer(stream, "\r\033[K")
    Steered(stream).write("\033[1m")
    stream.flush()

    assert raw.getvalue() == b"\r\033[K\033[1m"


def test_a_character_that_the_terminal_lacks_is_shown() -> None:
    raw = io.BytesIO()
    stream = Guarded(raw, "ascii", "backslashreplace")

    print("ü", file=stream, flush=True)

    assert raw.getvalue() == b"\\xfc\n"
