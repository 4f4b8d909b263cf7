# SPDX-License-Identifier: Apache-2.0
"""The prose of a file: what is written for people, without the code around it."""

import io
import re
import tokenize
from pathlib import PurePosixPath

_CODE = "\0"
"""Takes the place of what is not prose; no pattern matches across it."""

_MADE = re.compile(r"^<!-- Made by `make docs`", re.MULTILINE)
_TABLE = re.compile(r"^<!-- table -->$.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1`*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?: {4,}\S.*(?:\n+|\Z))+")
_INLINE = re.compile(r"`[^`]*`")
_TARGET = re.compile(r"(?<=\])\([^)\s]*\)")
_OPENING = re.compile(r"[A-Za-z]*(\"\"\"|'''|\"|')")
_COMMENT = re.compile(r"^\s*(?:#+|//|;)", re.MULTILINE)


def prose(name: str, text: str) -> str:
    """The text with everything else blanked, character by character: lines keep their numbers.

    The prose of Python is in its comments and strings, and in the names of tests, which are
    sentences. That of Markdown is outside code, and outside the parts that `make docs` writes:
    those are read in the code. Any other file is read as a whole.
    """
    match PurePosixPath(name).suffix:
        case ".md":
            return _markdown(text)
        case ".py":
            return _python(text)
        case _:
            return _COMMENT.sub(lambda marker: " " * len(marker[0]), text)


def _markdown(text: str) -> str:
    if _MADE.search(text):
        return _blank(text)
    for pattern in (_TABLE, _FENCE, _INDENTED, _INLINE, _TARGET):
        text = pattern.sub(lambda found: _blank(found[0]), text)
    return text


def _python(text: str) -> str:
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    view, last = list(_blank(text)), ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        shown = _shown(token, last)
        last = token.string
        if shown:
            start = starts[token.start[0] - 1] + token.start[1]
            view[start : start + len(shown)] = shown
    return "".join(view)


def _shown(token: tokenize.TokenInfo, last: str) -> str:
    """The prose of a token, as long as the token itself.

    Args:
        last: the text of the token before it.
    """
    match tokenize.tok_name[token.type]:
        case "NAME":
            is_sentence = last == "def" and token.string.startswith("test_")
            return token.string.replace("_", " ") if is_sentence else ""
        case "COMMENT":
            return token.string.replace("#", " ", 1)
        case "STRING":
            opening = _OPENING.match(token.string)
            assert opening
            length, quotes = len(opening[0]), len(opening[1])
            return " " * length + token.string[length:-quotes] + " " * quotes
        case "FSTRING_START" | "FSTRING_END":
            return " " * len(token.string)
        case "FSTRING_MIDDLE":
            return token.string
        case _:
            return ""


def _blank(text: str) -> str:
    return re.sub(r"\S", _CODE, text)
