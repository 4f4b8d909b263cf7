# SPDX-License-Identifier: Apache-2.0
"""Writes a text as a TOML file has it. Source: TOML 1.0.0, "String"."""

from ota_image.errors import ImageError


def toml_text(text: str) -> str:
    """A text between quotes, on one line: what cannot be printed is escaped.

    Raises:
        ImageError: it has bytes that are not UTF-8, as an option can have.
    """
    return '"' + "".join(_escaped(text, character) for character in text) + '"'


def _escaped(text: str, character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    number = ord(character)
    if 0xD800 <= number < 0xE000:  # a surrogate, where Python read a byte that is not UTF-8
        raise ImageError(f"{text!r}: is not text in UTF-8; correct the option")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
