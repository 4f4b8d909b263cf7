# SPDX-License-Identifier: Apache-2.0
"""Changes of texts and small files: of bytes, of words, and of JSON inside."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

LONGEST = 48 << 10
"""Of an input [B]; what is longer is cut."""

_BYTES = (0, 1, 9, 10, 13, 27, 32, 34, 39, 44, 47, 48, 58, 61, 91, 92, 123, 127, 128, 155, 255)
_NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"9" * 30, b"9" * 5000, b"0x10", b"1.5", b"1_0", b"\xb2")
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**63, 2**64, -(2**63), 10**400, 1.5, 1e308, "", "x", " "),
    *("a\nb", "\0", "\ud800", "\u202e", "\x1b[2J", "\x9b", "n" * 5000, "../x", "http://[::1", "ß"),
    *([], {}, [[]], [None], [""], {"": None}, {"a": {"b": []}}, [1, "2", None], [[["x"]]]),
)


class TextMutator:
    """Makes new inputs out of known ones.

    Attributes:
        corpus: the known ones; the caller adds inputs that behave in a new way.

    Args:
        words: that mean something to what reads the inputs.
    """

    def __init__(self, random: Random, corpus: Sequence[bytes], words: Sequence[bytes]) -> None:
        self._random, self._words = random, words
        self.corpus = list(corpus)

    def next(self) -> bytes:
        """A new input."""
        data = self._random.choice(self.corpus)
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 6))):
            data = self._changed(data)
        return data[:LONGEST]

    def _changed(self, data: bytes) -> bytes:
        ways: tuple[Callable[[bytes], bytes], ...] = (
            *(self._flip, self._put, self._cut, self._double, self._splice, self._word),
            *(self._word, self._number, self._line, self._tree, self._tree, self._tree),
        )
        return self._random.choice(ways)(data)

    def _place(self, data: bytes) -> tuple[int, int]:
        """Where a short part begins and ends."""
        begin = self._random.randint(0, len(data))
        return begin, min(len(data), begin + self._random.choice((0, 1, 2, 4, 16, 200)))

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data or b"x")
        changed[self._random.randrange(len(changed))] = self._random.randrange(256)
        return bytes(changed)

    def _put(self, data: bytes) -> bytes:
        at, _ = self._place(data)
        times = self._random.choice((1, 1, 1, 2, 100, 20_000))
        return data[:at] + bytes((self._random.choice(_BYTES),)) * times + data[at:]

    def _cut(self, data: bytes) -> bytes:
        begin, end = self._place(data)
        return data[:begin] if self._random.random() < 0.1 else data[:begin] + data[end:]

    def _double(self, data: bytes) -> bytes:
        begin, end = self._place(data)
        times = self._random.choice((1, 1, 2, 300))
        return data[:end] + data[begin:end] * times + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self.corpus)
        (begin, _), (_, end) = self._place(data), self._place(other)
        return data[:begin] + other[end:]

    def _word(self, data: bytes) -> bytes:
        begin, end = self._place(data)
        return data[:begin] + self._random.choice(self._words or _NUMBERS) + data[end:]

    def _number(self, data: bytes) -> bytes:
        digits = [at for at, each in enumerate(data) if 48 <= each < 58]
        if not digits:
            return self._put(data)
        begin = end = self._random.choice(digits)
        while end in digits:
            end += 1
        return data[:begin] + self._random.choice(_NUMBERS) + data[end:]

    def _line(self, data: bytes) -> bytes:
        lines = data.split(b"\n")
        one = self._random.randrange(len(lines))
        match self._random.randrange(4):
            case 0:
                del lines[one]
            case 1:
                lines.insert(one, self._random.choice(lines))
            case 2:
                self._random.shuffle(lines)
            case _:
                lines[one] = self._random.choice(self.corpus).split(b"\n")[0]
        return b"\n".join(lines)

    def _tree(self, data: bytes) -> bytes:
        """Change a value of the JSON that the input ends with, if it does."""
        begin = data.find(b"{")
        try:
            value = json.loads(data[begin:]) if begin >= 0 else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            return self._flip(data)
        if self._random.random() < 0.03:
            depth = self._random.choice((50, 2000, 8000))
            return data[:begin] + b'{"a":' * depth + b"1" + b"}" * depth
        self._change(value)
        return data[:begin] + json.dumps(value).encode()

    def _change(self, value: Any) -> None:
        """Change something in a list or an object."""
        if not value:
            return
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = self._random.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and self._random.random() < 0.6:
            self._change(inner)
        elif self._random.random() < 0.2:
            del value[key]
        elif self._random.random() < 0.2 and isinstance(value, dict):
            words = [each.decode("latin-1") for each in self._words] or ["x"]
            value[self._random.choice(words)] = inner
        else:
            value[key] = self._random.choice(_VALUES)
