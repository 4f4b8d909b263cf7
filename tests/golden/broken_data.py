# SPDX-License-Identifier: Apache-2.0
"""Artifacts refused for the content of their payload tars, or for forbidden tar features."""

from collections.abc import Iterator
from dataclasses import replace

from ota_artifact.errors import UnsupportedFeature
from tests.golden.cases import Broken
from tests.golden.draft import Draft, Entry, pax, squeeze, tar
from tests.golden.keys import EC_KEY

PLAIN = Draft()
FILE = PLAIN.payloads[0][0]

_COMMITTED = {
    "unlisted-payload-file",
    "payload-file-twice",
    "payload-digest-differs",
    "payload-file-leads-out",
    "payload-file-is-a-symbolic-link",
    "pax-sparse-file",
    "name-with-suffix-cut-off",
    "size-is-negative",
}


def broken_data() -> Iterator[Broken]:
    for name, finding, entries in (*_listings(), *_names(), *_lies(), *_extensions()):
        content = PLAIN.with_data(squeeze(tar(entries), ".gz"))
        yield Broken(name=name, finding=finding, content=content, is_committed=name in _COMMITTED)
    for name, finding, entries in (*_kinds(), *_records()):
        content = PLAIN.with_data(squeeze(tar(entries), ".gz"))
        committed = name in _COMMITTED
        yield Broken(
            name=name,
            finding=finding,
            content=content,
            error=UnsupportedFeature,
            is_committed=committed,
        )
    yield from _streams()


_Row = tuple[str, str, tuple[Entry, ...]]


def _listings() -> Iterator[_Row]:
    other = Entry(name="other", content=b"x")
    yield "unlisted-payload-file", "'other' is not listed in the manifest", (FILE, other)
    yield "unlisted-payload-file-first", "'other' is not listed", (other, FILE)
    yield "unlisted-empty-file", "'other' is not listed", (FILE, Entry(name="other"))
    yield "payload-file-twice", "'file' appears twice", (FILE, FILE)
    yield "listed-file-is-missing", "'file' is listed in the manifest but missing", ()
    changed = replace(FILE, content=b"Content\n")
    yield "payload-digest-differs", "file: its sha256 is .* the manifest says", (changed,)
    yield "payload-file-is-longer", "its sha256", (replace(FILE, content=b"content\n\n"),)
    yield "payload-file-is-shorter", "its sha256", (replace(FILE, content=b"content"),)
    yield "name-with-suffix-cut-off", "'file.gz' is not listed", (replace(FILE, name="file.gz"),)


def _names() -> Iterator[_Row]:
    finding = "(is not the name of a payload file|is longer than the 90|is not UTF-8|too long)"
    for name, path in (
        ("leads-out", "../file"),
        ("is-in-a-folder", "sub/file"),
        ("is-absolute", "/etc/passwd"),
        ("is-a-point", "."),
        ("is-two-points", ".."),
        ("has-a-backslash", "..\\file"),
        ("has-a-point-before", "./file"),
        ("has-a-space", "a file"),
        ("has-a-line-feed", "a\nfile"),
        ("has-an-umlaut", "\u00e4"),
        ("is-too-long", "n" * 91),
        ("has-no-name", ""),
        ("ends-in-a-slash", "file/"),
    ):
        yield f"payload-file-{name}", finding, (replace(FILE, name=path),)
    yield "payload-name-is-not-utf-8", finding, (replace(FILE, name=b"\xff"),)
    yield "payload-file-in-a-ustar-prefix", finding, (replace(FILE, prefix=b".."),)
    yield "payload-file-in-a-pax-path", finding, (pax(path="../file"), FILE)
    long = Entry(name="././@LongLink", content=b"../file\0", kind=b"L")
    yield "payload-file-in-a-long-name", finding, (long, FILE)
    huge = Entry(name="././@LongLink", content=b"n" * 2000, kind=b"L")
    yield "payload-name-is-huge", finding, (huge, FILE)


def _lies() -> Iterator[_Row]:
    yield "size-is-negative", "the size .* is not a number", (replace(FILE, size=b"\xff" * 12),)
    yield "size-is-a-text", "is not a number", (replace(FILE, size=b"eight\0\0\0\0\0\0\0"),)
    yield "size-has-an-eight", "is not a number", (replace(FILE, size=b"00000000008\0"),)
    yield "size-is-too-large", "truncated", (replace(FILE, size=1 << 32),)
    huge = b"\x80" + b"\xff" * 11
    yield "size-is-enormous", "truncated", (replace(FILE, size=huge),)
    yield "size-is-too-small", "data in the padding of 'file'", (replace(FILE, size=1),)
    yield "pax-size-is-too-large", "truncated", (pax(size="99999"), FILE)
    yield "pax-size-is-negative", "is not a number", (pax(size="-1"), FILE)
    yield "checksum-differs", "checksum is wrong", (replace(FILE, checksum=1),)
    yield "old-tar", "no 'ustar' mark", (replace(FILE, magic=bytes(8)),)
    late = b"\x80" + b"\xff" * 11
    owner = replace(FILE, owner=b"0000\x1000\0" * 2)
    yield "owner-is-no-number", "the uid .* is not a number", (owner,)
    yield "time-is-beyond-any-date", "beyond any date", (replace(FILE, mtime=late),)


def _extensions() -> Iterator[_Row]:
    name = Entry(name="././@LongLink", content=b"file\0", kind=b"L")
    path = pax(path="file")
    yield "two-long-names", "too many extension headers", (name, name, FILE)
    yield "comment-without-file", "an extension header without a file", (pax(comment="x"),)
    gnu = replace(FILE, magic=b"ustar  \0", prefix=b"sub")
    yield "gnu-header-with-a-prefix", "a GNU header holds more than", (gnu,)
    other = pax(path="file")
    yield "long-name-and-pax", "too many extension headers", (name, other, FILE)
    yield "two-pax-headers", "too many extension headers", (path, path, FILE)
    yield "long-name-without-file", "an extension header without a file", (name,)
    yield (
        "huge-pax-header",
        "extension header has 65537 B",
        (Entry(name="pax", content=bytes(65537), kind=b"x"), FILE),
    )
    yield (
        "huge-long-name",
        "extension header has 65537 B",
        (Entry(name="L", content=bytes(65537), kind=b"L"), FILE),
    )
    for case, record in (
        ("without-length", b"path=file\n"),
        ("with-a-length-of-nothing", b"0 path=file\n"),
        ("too-long", b"99 path=file\n"),
        ("without-equal-sign", b"8 path\n\n"),
        ("without-line-end", b"13 path=file "),
    ):
        finding = "(pax record is malformed|pax record length .* is not a number)"
        yield f"pax-record-{case}", finding, (Entry(name="pax", content=record, kind=b"x"), FILE)
    twice = Entry(name="pax", content=b"13 path=file\n" * 2, kind=b"x")
    yield "pax-record-twice", "the pax record 'path' appears twice", (twice, FILE)
    yield (
        "pax-path-is-not-utf-8",
        "is not UTF-8",
        (Entry(name="pax", content=b"10 path=\xff\n", kind=b"x"), FILE),
    )
    yield "payload-file-is-a-folder", "'file' is a directory", (Entry(name="file", kind=b"5"),)


def _kinds() -> Iterator[_Row]:
    for kind, name in (
        (b"1", "hard link"),
        (b"2", "symbolic link"),
        (b"3", "character device"),
        (b"4", "block device"),
        (b"6", "FIFO"),
    ):
        row = f"payload-file-is-a-{name.replace(' ', '-').lower()}"
        yield row, f"'file' is a {name}", (Entry(name="file", kind=kind, link=b"/etc/passwd"),)
    yield "payload-file-is-sparse", "a GNU sparse file", (replace(FILE, kind=b"S"),)
    yield "payload-file-is-contiguous", "a contiguous file", (replace(FILE, kind=b"7"),)
    yield "payload-file-is-of-no-kind", "of the unknown kind", (replace(FILE, kind=b"Z"),)
    yield "global-pax-header", "a global pax header", (replace(pax(path="x"), kind=b"g"), FILE)
    yield (
        "long-link",
        "a GNU long link",
        (Entry(name="././@LongLink", content=b"x\0", kind=b"K"), FILE),
    )


def _records() -> Iterator[_Row]:
    for name, key in (
        ("pax-sparse-file", "GNU.sparse.realsize"),
        ("pax-link", "linkpath"),
        ("pax-attribute", "SCHILY.xattr.security.capability"),
        ("pax-character-set", "hdrcharset"),
    ):
        yield name, f"the pax record '{key}' is not allowed", (pax(**{key: "8"}), FILE)


def _streams() -> Iterator[Broken]:
    whole = tar(PLAIN.payloads[0])
    hidden = squeeze(b"hidden", ".gz")
    for name, stored, finding in (
        (
            "data-after-the-end-of-a-payload",
            squeeze(whole + b"hidden", ".gz"),
            "data after its end",
        ),
        ("member-after-the-end-of-a-payload", squeeze(whole, ".gz") + hidden, "data after its end"),
        ("data-after-the-gzip-of-a-payload", squeeze(whole, ".gz") + b"hidden" * 4, "damaged data"),
        ("gzip-checksum-differs", _flipped(squeeze(whole, ".gz"), -8), "damaged data"),
        ("gzip-size-differs", _flipped(squeeze(whole, ".gz"), -4), "damaged data"),
        ("payload-is-not-gzip", whole, "damaged data"),
        ("payload-is-nothing", b"", "ends after 0 B inside compressed data"),
        ("payload-ends-in-gzip", squeeze(whole, ".gz")[:-1], "it is truncated"),
        ("payload-ends-without-end", squeeze(whole[:-1024], ".gz"), "it is truncated"),
    ):
        yield Broken(
            name=name, finding=finding, content=PLAIN.with_data(stored), is_committed=False
        )
    for suffix, name in ((".xz", "xz"), (".zst", "zstd")):
        draft = replace(PLAIN, suffix=suffix)
        stored = squeeze(whole, suffix)
        for case, content, finding in (
            ("data-after-the", stored + b"hidden", "(damaged data|truncated)"),
            ("checksum-differs-in", _flipped(stored, -2), "damaged data"),
            ("truncated", stored[:-1], "it is truncated"),
        ):
            yield Broken(
                name=f"{case}-{name}",
                finding=finding,
                content=draft.with_data(content),
                is_committed=False,
            )
    zstd = replace(PLAIN, suffix=".zst")
    window = b"\x28\xb5\x2f\xfd" + b"\0" + b"\xf8" + b"\x01\0\0"
    large = b"\x28\xb5\x2f\xfd" + b"\0" + b"\0" + (0x30_0000 << 3 | 1).to_bytes(4, "little")[:3]
    for name, stored, finding in (
        ("zstd-window-is-too-large", window, "damaged data"),
        ("zstd-block-is-too-large", large, "larger than the format allows"),
        ("zstd-skippable-frame-is-truncated", b"\x50\x2a\x4d\x18\xff\xff\xff\xff", "truncated"),
    ):
        yield Broken(name=name, finding=finding, content=zstd.with_data(stored), is_committed=False)
    # Signed correctly; the payload was replaced afterwards.
    signed = Draft(key=EC_KEY)
    changed = Draft(payloads=((replace(FILE, content=b"other\n"),),)).data[0].content
    content = signed.with_data(changed)
    keys = (EC_KEY.public,)
    yield Broken(
        name="payload-replaced-after-signing", finding="its sha256", content=content, keys=keys
    )


def _flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)
