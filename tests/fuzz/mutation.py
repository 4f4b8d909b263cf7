# SPDX-License-Identifier: Apache-2.0
"""Changes of an artifact that get past its digests.

Most changes of bytes end at the first checksum. So a change is made inside: of a member, of a file
of the header, of a text; then, more often than not, sizes, checksums, the manifest and the
signature are made to fit again.
"""

import base64
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.fuzz.archive import Part, join, pack, part, split, suffix, unpack
from tests.golden.draft import END, Entry, pax, sha256
from tests.golden.keys import EC_KEY, OTHER_KEY

_NAMES = (
    *("version", "manifest", "manifest.sig", "manifest-augment", "header.tar", "header.tar.gz"),
    *("header.tar.zst", "header-augment.tar.gz", "data/0000.tar", "data/0000.tar.gz"),
    *("data/0001.tar.gz", "data/9999.tar", "data/00000.tar", "data/0000/file", "header-info"),
    *("scripts/ArtifactInstall_Enter_00", "scripts/../x", "headers/0000/type-info"),
    *("headers/0000/meta-data", "headers/0000/files", "headers/0001/type-info", "headers/"),
    *("file", "other", "../x", "/etc/passwd", ".", "..", "", "a/b", "\xff", "a b", "n" * 100),
)
_KINDS = b"0\x00123456789gxLKSAVZ"
_SIZES = (
    *(b"00000000000\0", b"77777777777\0", b"\x80" + bytes(7) + b"\x01\0\0\0", b"\xff" * 12),
    *(b"-0000000001\0", b"           \0", bytes(12), b"\x80" + b"\xff" * 11, b"0000000001 "),
)
_BYTES = (0, 1, 9, 10, 13, 32, 46, 47, 48, 57, 127, 128, 255)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 2, 10**30, 1e300, "", "x", "rootfs-image", "single-file"),
    *("../x", "a\nb", "\ud800", "\u202e", "n" * 257, [], {}, [[]], [None], [""], {"type": None}),
    *({"type": "rootfs-image"}, {"type": "single-file"}, ["board"], {"": ""}, {"k": ["v"]}),
)
_KEYS = (
    *("type", "payloads", "updates", "artifact_name", "artifact_provides", "artifact_depends"),
    *("device_type", "artifact_group", "clears_artifact_provides", "format", "version", "files"),
    *("", "k", "device_types_compatible"),
)
_RECORDS = ("path", "size", "mtime", "linkpath", "GNU.sparse.major", "comment", "hdrcharset")


class Mutator:
    """Makes new inputs out of known ones.

    Attributes:
        corpus: the known ones; the caller adds inputs that behave in a new way.
    """

    def __init__(self, random: Random, corpus: Sequence[bytes]) -> None:
        self._random = random
        self.corpus = list(corpus)

    def next(self) -> bytes:
        """A new input."""
        data = self._random.choice(self.corpus)
        if self._chance(0.1):
            return self._bytes(data)
        outer, tail = split(data)
        for _ in range(self._random.randint(1, 3)):
            self._change(outer)
        if self._chance(0.05):
            tail = self._bytes(tail) if tail else END
        if self._chance(0.9):
            self._repair(outer)
        return join(outer, tail)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _change(self, outer: list[Part]) -> None:
        if not outer or self._chance(0.15):
            self._change_tar(outer)
            return
        member = self._random.choice(outer)
        name = member.name
        if name.startswith(("header.tar", "data/")):
            member.content = self._changed_tar(member.content, suffix(name))
        elif name == "version":
            member.content = self._json(member.content)
        elif name == "manifest":
            member.content = self._lines(member.content)
        else:
            member.content = self._bytes(member.content)
        if self._chance(0.95):
            member.put_size()
            member.put_checksum()

    def _changed_tar(self, content: bytes, how: str) -> bytes:
        plain = unpack(content, how)
        if plain is None or self._chance(0.05):
            return self._bytes(content)
        inner, tail = split(plain)
        if inner and self._chance(0.5):
            self._change_file(self._random.choice(inner))
        else:
            self._change_tar(inner)
        if self._chance(0.05):
            tail = self._bytes(tail) if tail else END
        packed = pack(join(inner, tail), how)
        if self._chance(0.1) and how != ".xz":  # several members, at any place
            plain = join(inner, tail)
            at = self._random.randint(0, len(plain))
            packed = pack(plain[:at], how) + pack(plain[at:], how)
        return self._bytes(packed) if self._chance(0.03) else packed

    def _change_file(self, file: Part) -> None:
        is_text = file.content.startswith(b"{")
        if is_text and self._chance(0.8):
            file.content = self._json(file.content)
        else:
            file.content = self._bytes(file.content)
        if self._chance(0.95):
            file.put_size()
            file.put_checksum()

    def _change_tar(self, parts: list[Part]) -> None:
        at = self._random.randint(0, len(parts))
        if not parts or self._chance(0.3):
            parts.insert(at, self._new())
            return
        one = self._random.randrange(len(parts))
        changed = parts[one]
        match self._random.randrange(7):
            case 0:
                del parts[one]
                return
            case 1:
                parts.insert(at, changed.copy())
                return
            case 2:
                parts.insert(min(at, len(parts) - 1), parts.pop(one))
                return
            case 3:
                changed.name = self._random.choice(_NAMES)
            case 4:
                changed.header[156] = self._random.choice(_KINDS)
            case 5:
                changed.header[124:136] = self._random.choice(_SIZES).ljust(12, b"\0")
            case _:
                changed.header = bytearray(self._flipped(bytes(changed.header)))
        if self._chance(0.95):
            changed.put_checksum()

    def _new(self) -> Part:
        name = self._random.choice(_NAMES)
        match self._random.randrange(4):
            case 0:
                record = self._random.choice(_RECORDS)
                value = self._random.choice((*_NAMES, "0", "8", "-1", "99999999999999999999999"))
                return part(pax(**{record: value}))
            case 1:
                return part(
                    Entry(name="././@LongLink", content=name.encode("latin-1") + b"\0", kind=b"L")
                )
            case 2:
                other, _ = split(self._random.choice(self.corpus))
                return self._random.choice(other).copy() if other else part(Entry(name="x"))
            case _:
                kind = bytes((self._random.choice(_KINDS),))
                return part(
                    Entry(
                        name=name.encode("latin-1"),
                        content=b"x" * self._random.randint(0, 9),
                        kind=kind,
                    )
                )

    def _lines(self, content: bytes) -> bytes:
        lines = content.split(b"\n")
        one = self._random.randrange(len(lines))
        match self._random.randrange(5):
            case 0:
                del lines[one]
            case 1:
                lines.insert(one, self._random.choice(lines))
            case 2:
                name = self._random.choice(_NAMES).encode("latin-1")
                lines.insert(one, b"%064x  data/0000/%s" % (self._random.getrandbits(256), name))
            case 3:
                lines[one] = lines[one][:66] + self._random.choice(_NAMES).encode("latin-1")
            case _:
                lines[one] = self._bytes(lines[one])
        return b"\n".join(lines)

    def _json(self, content: bytes) -> bytes:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            return self._bytes(content)
        if self._chance(0.05):
            depth = self._random.choice((10, 1000, 20_000))
            return b'{"k":' * depth + b"1" + b"}" * depth
        value = self._value(value)
        try:
            return json.dumps(value, separators=(",", ":")).encode()
        except RecursionError:
            return content

    def _value(self, value: Any) -> Any:
        """The value with one thing changed, somewhere inside."""
        pick = self._random.choice
        if isinstance(value, dict) and value and self._chance(0.7):
            key = pick(sorted(value))
            return {**value, key: self._value(value[key])}
        if isinstance(value, list) and value and self._chance(0.7):
            one = self._random.randrange(len(value))
            return [*value[:one], self._value(value[one]), *value[one + 1 :]]
        if isinstance(value, dict) and self._chance(0.7):
            if value and self._chance(0.4):
                gone = pick(sorted(value))
                return {key: each for key, each in value.items() if key != gone}
            return {**value, pick(_KEYS): pick(_VALUES)}
        if isinstance(value, list) and self._chance(0.7):
            return [*value, pick(_VALUES)] if self._chance(0.7) else value * 2
        return pick(_VALUES)

    def _bytes(self, data: bytes) -> bytes:
        """Bytes with a few random changes."""
        changes: tuple[Callable[[bytes], bytes], ...] = (
            self._flipped,
            self._flipped,
            self._cut,
            self._doubled,
            self._inserted,
            self._spliced,
        )
        for _ in range(self._random.randint(1, 3)):
            data = self._random.choice(changes)(data)
        return data[: 1 << 17]

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._random.randint(1, 4) if data else 0):
            at = self._random.randrange(len(changed))
            changed[at] = (
                self._random.choice(_BYTES)
                if self._chance(0.5)
                else changed[at] ^ 1 << self._random.randrange(8)
            )
        return bytes(changed)

    def _range(self, data: bytes) -> tuple[int, int]:
        start = self._random.randint(0, len(data))
        longest = self._random.choice((1, 8, 512, 1024, len(data)))
        if self._chance(0.3):
            start -= start % 512
        return start, min(len(data), start + longest)

    def _cut(self, data: bytes) -> bytes:
        start, end = self._range(data)
        return data[:start] if self._chance(0.3) else data[:start] + data[end:]

    def _doubled(self, data: bytes) -> bytes:
        start, end = self._range(data)
        return data[:end] + data[start:end] + data[end:]

    def _inserted(self, data: bytes) -> bytes:
        at = self._random.randint(0, len(data))
        new = self._random.randbytes(self._random.randint(1, 16))
        if self._chance(0.3):
            new = bytes((self._random.choice(_BYTES),)) * self._random.choice((1, 16, 512, 4096))
        return data[:at] + new + data[at:]

    def _spliced(self, data: bytes) -> bytes:
        other = self._random.choice(self.corpus)
        start, end = self._range(other)
        at = self._random.randint(0, len(data))
        return data[:at] + other[start:end] + data[at:]

    def _repair(self, outer: list[Part]) -> None:
        """Make manifest and signature fit the members."""
        manifest = next((member for member in outer if member.name == "manifest"), None)
        if manifest is None:
            return
        if self._chance(0.95):
            manifest.content = self._fitting(manifest.content, _digests(outer))
            manifest.put_size()
            manifest.put_checksum()
        for member in outer:
            if member.name == "manifest.sig" and self._chance(0.9):
                key = EC_KEY if self._chance(0.9) else OTHER_KEY
                member.content = base64.b64encode(key.sign(manifest.content))
                member.put_size()
                member.put_checksum()

    def _fitting(self, lines: bytes, digests: dict[str, str]) -> bytes:
        """The manifest with the right digests, and mostly without members that are missing."""
        listed = []
        for line in lines.split(b"\n"):
            name = line[66:].decode("latin-1")
            if name in digests and line[64:66] == b"  ":
                line = digests.pop(name).encode() + line[64:]
            elif name.startswith(("data/", "header.tar")) and self._chance(0.8):
                continue
            listed.append(line)
        if self._chance(0.8):
            new = [f"{digest}  {name}".encode("latin-1") for name, digest in digests.items()]
            listed = new + listed
        return b"\n".join(listed)


def _digests(outer: list[Part]) -> dict[str, str]:
    """The digests that a manifest must have for these members."""
    digests = {}
    for member in outer:
        name = member.name
        if name == "version" or name.startswith("header.tar"):
            digests[name] = sha256(member.content)
        elif name.startswith("data/"):
            plain = unpack(member.content, suffix(name))
            inner = split(plain)[0] if plain is not None else []
            digests |= {f"{name[:9]}/{file.name}": sha256(file.content) for file in inner}
    return digests
