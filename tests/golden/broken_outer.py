# SPDX-License-Identifier: Apache-2.0
"""Artifacts refused for their version, manifest, signature or the order of their members."""

from collections.abc import Iterator
from dataclasses import replace

from ota_artifact.errors import SignatureError, UnsupportedFeature, UnsupportedVersion
from tests.golden.accepted import BOOTSTRAP, TWO
from tests.golden.cases import Broken
from tests.golden.draft import END, Draft, Entry, sha256, signature_of, tar
from tests.golden.keys import EC_KEY, OTHER_KEY, RSA_KEY

PLAIN = Draft()
SIGNED = Draft(key=EC_KEY)
EC = (EC_KEY.public,)
LINES = PLAIN.lines.splitlines(keepends=True)  # of the file, the header tar, the version
AUGMENT = Entry(name="manifest-augment", content=LINES[1])


def broken_versions() -> Iterator[Broken]:
    for name, version, finding, error in (
        ("version-1", b'{"format":"mender","version":1}', "version 1 is not", UnsupportedVersion),
        ("version-4", b'{"format":"mender","version":4}', "version 4 is not", UnsupportedVersion),
    ):
        content = replace(PLAIN, version=version).built()
        yield Broken(
            name=name,
            finding=finding,
            content=content,
            error=error,
            is_committed=name == "version-1",
        )
    for name, version, finding in (
        ("format-is-not-mender", b'{"format":"other","version":3}', "version: must be"),
        ("unknown-key-in-version", b'{"format":"mender","version":3,"x":1}', "version: must be"),
        ("version-is-a-text", b'{"format":"mender","version":"3"}', "must be a whole number"),
        ("version-is-true", b'{"format":"mender","version":true}', "must be a whole number"),
        ("version-is-not-json", b"3\n4", "version: is not JSON"),
        ("version-is-a-list", b"[3]", "version: must be a JSON object"),
        ("huge-version", b" " * 1025 + PLAIN.version, "has 1056 B; at most 1024 B"),
    ):
        committed = name == "unknown-key-in-version"
        content = replace(PLAIN, version=version).built()
        yield Broken(name=name, finding=finding, content=content, is_committed=committed)
    other = Entry(name="version", content=PLAIN.version + b"\n")
    yield Broken(
        name="version-digest-differs",
        finding="version: its sha256",
        content=PLAIN.but(version=other),
    )


def broken_manifests() -> Iterator[Broken]:
    file, header, version = LINES
    upper = file[:64].upper() + file[64:]
    for name, lines, finding in (
        (
            "manifest-line-is-garbled",
            b"zz" + file[2:] + header + version,
            "manifest:1: .* is not 64",
        ),
        ("manifest-line-without-digest", b"  data/0000/file\n" + header + version, "manifest:1: "),
        ("manifest-digest-in-upper-case", upper + header + version, "manifest:1: "),
        ("manifest-with-one-space", file[:64] + file[65:] + header + version, "manifest:1: "),
        ("manifest-with-carriage-returns", PLAIN.lines.replace(b"\n", b"\r\n"), "manifest:1: "),
        ("manifest-with-an-empty-line", file + b"\n" + header + version, "manifest:2: "),
        (
            "manifest-without-last-line-end",
            PLAIN.lines[:-1],
            "its last line does not end with a newline",
        ),
        ("empty-manifest", b"", "empty or truncated"),
        ("manifest-is-not-ascii", b"\xff" + PLAIN.lines, "byte 0 is not ASCII"),
        ("manifest-name-is-not-utf-8", PLAIN.lines + b"0" * 64 + b"  data/0000/\xff\n", "ASCII"),
        ("name-listed-twice", file + PLAIN.lines, "manifest:2: 'data/0000/file' is listed twice"),
        ("header-not-listed", file + version, "must list 'version' and one 'header.tar"),
        ("version-not-listed", file + header, "must list 'version' and one 'header.tar"),
        (
            "two-headers-listed",
            PLAIN.lines + b"0" * 64 + b"  header.tar\n",
            "must list 'version' and one 'header.tar",
        ),
        ("unknown-name-listed", PLAIN.lines + b"0" * 64 + b"  foo\n", "'foo' is not a name"),
        (
            "augment-header-listed",
            PLAIN.lines + b"0" * 64 + b"  header-augment.tar.gz\n",
            "'header-augment.tar.gz' is not a name",
        ),
        (
            "listed-path-has-a-folder",
            PLAIN.lines + b"0" * 64 + b"  data/0000/sub/file\n",
            "'data/0000/sub/file' is not a name",
        ),
        (
            "listed-path-leads-out",
            PLAIN.lines + b"0" * 64 + b"  data/0000/..\n",
            "of a payload file",
        ),
        ("listed-path-has-a-point", PLAIN.lines + b"0" * 64 + b"  ./version\n", "is not a name"),
        (
            "listed-number-has-three-digits",
            PLAIN.lines + b"0" * 64 + b"  data/000/x\n",
            "'data/000/x' is not a name",
        ),
        (
            "listed-name-is-too-long",
            PLAIN.lines + b"0" * 64 + b"  data/0000/" + b"n" * 91 + b"\n",
            "longer than the 90 characters",
        ),
        (
            "listed-payload-is-unknown",
            PLAIN.lines + b"0" * 64 + b"  data/0001/file\n",
            "does not belong to a payload of header-info",
        ),
    ):
        committed = name in {
            "manifest-line-without-digest",
            "unknown-name-listed",
            "listed-path-leads-out",
        }
        content = replace(PLAIN, manifest=lines).built()
        yield Broken(name=name, finding=finding, content=content, is_committed=committed)
    huge = replace(PLAIN, more=b"".join(b"%064x  data/0000/%d\n" % (n, n) for n in range(30_000)))
    yield Broken(
        name="huge-manifest", finding="at most 2097152 B", content=huge.built(), is_committed=False
    )


def broken_signatures() -> Iterator[Broken]:
    lines = SIGNED.lines
    raw = EC_KEY.sign(lines)
    swapped = PLAIN.with_header("headers/0000/meta-data", b'{"mode":"0755"}')
    rsa = Draft(key=RSA_KEY)
    for name, signature, finding in (
        (
            "signed-by-another-key",
            signature_of(OTHER_KEY, lines),
            "not made by any of the given keys",
        ),
        ("signature-over-the-version", signature_of(EC_KEY, SIGNED.version), "not made by any"),
        (
            "signature-over-part-of-the-manifest",
            signature_of(EC_KEY, lines[:-74]),
            "not made by any",
        ),
        ("signature-of-65-bytes", _signature(raw + b"\0"), "not made by any"),
        ("signature-of-63-bytes", _signature(raw[:-1]), "not made by any"),
        ("signature-of-zeros", _signature(bytes(64)), "not made by any"),
    ):
        committed = name in {"signature-over-the-version", "signature-of-65-bytes"}
        content = SIGNED.but(manifest_sig=signature)
        yield Broken(
            name=name,
            finding=finding,
            content=content,
            error=SignatureError,
            keys=EC,
            is_committed=committed,
        )
    unsigned = PLAIN.built()
    finding = "not signed; as keys are given, it must be"
    yield Broken(
        name="unsigned",
        finding=finding,
        content=unsigned,
        error=SignatureError,
        keys=EC,
        is_committed=False,
    )
    wrong = rsa.but(manifest_sig=signature_of(RSA_KEY, rsa.version))
    error, keys = SignatureError, (RSA_KEY.public,)
    yield Broken(
        name="rsa-signature-over-the-version",
        finding="not made by any",
        content=wrong,
        error=error,
        keys=keys,
        is_committed=False,
    )
    # The manifest is signed: the digest in it counts, not the header in the file.
    content = SIGNED.but(header=swapped.header_tar)
    yield Broken(
        name="header-replaced-after-signing",
        finding="header.tar.gz: its sha256",
        content=content,
        keys=EC,
    )
    content = SIGNED.but(
        manifest=Entry(name="manifest", content=swapped.lines), header=swapped.header_tar
    )
    name = "manifest-replaced-after-signing"
    yield Broken(
        name=name,
        finding="not made by any",
        content=content,
        error=SignatureError,
        keys=EC,
        is_committed=False,
    )
    # Nothing unsigned is parsed: this header alone would be refused too.
    hostile = replace(PLAIN, packed_header=b"no tar", key=OTHER_KEY)
    content = hostile.built()
    yield Broken(
        name="unsigned-header-is-no-tar",
        finding="not made by any",
        content=content,
        error=SignatureError,
        keys=EC,
        is_committed=False,
    )
    for name, stored, finding in (
        ("signature-is-not-base64", b"!" * 88, "manifest.sig: is not base64"),
        ("signature-is-empty", b"", "manifest.sig: is empty"),
        ("huge-signature", b"A" * 8193, "at most 8192 B"),
    ):
        content = SIGNED.but(manifest_sig=Entry(name="manifest.sig", content=stored))
        yield Broken(name=name, finding=finding, content=content, keys=EC, is_committed=False)


def broken_orders() -> Iterator[Broken]:
    version, manifest, header, data = PLAIN.members.values()
    signed = SIGNED.members
    signature = signed["manifest.sig"]
    sub = Entry(name="data/0000/file", content=b"content\n")
    for name, entries, finding in (
        ("version-is-not-first", (manifest, version, header, data), "instead of version"),
        ("header-before-manifest", (version, header, manifest, data), "instead of manifest"),
        ("data-before-header", (version, manifest, data, header), "instead of header.tar.gz"),
        ("two-versions", (version, version, manifest, header, data), "instead of manifest"),
        ("two-manifests", (version, manifest, manifest, header, data), "instead of header"),
        ("two-headers", (version, manifest, header, header, data), "'header.tar.gz' is out of pl"),
        ("signature-after-header", (version, manifest, header, signature, data), "out of place"),
        ("two-signatures", (version, manifest, signature, signature, header, data), "instead of"),
        ("no-header", (version, manifest), "ends before manifest.sig or header.tar.gz"),
        ("no-manifest", (version,), "ends before manifest"),
        ("nothing-inside", (), "ends before version"),
        ("member-after-data", (version, manifest, header, data, version), "'version' is out of"),
        ("data-twice", (version, manifest, header, data, data), "out of place"),
        ("unpacked-payload-file", (version, manifest, header, sub), "out of place"),
        (
            "unknown-member",
            (version, manifest, header, Entry(name="x"), data),
            "'x' is out of place",
        ),
        (
            "header-under-another-suffix",
            (version, manifest, Entry(name="header.tar", content=header.content), data),
            "'header.tar' instead of header.tar.gz",
        ),
    ):
        committed = name in {"header-before-manifest", "member-after-data"}
        yield Broken(name=name, finding=finding, content=tar(entries), is_committed=committed)
    one, two = TWO.data
    content = TWO.but(data=two, **{"data/0001.tar.gz": one})
    finding = "data/0000.tar is missing"
    yield Broken(name="payloads-out-of-order", finding=finding, content=content, is_committed=False)
    second = Entry(name="data/0001.tar.gz", content=Draft(payloads=((),)).data[0].content)
    content = tar((version, manifest, header, data, second))
    finding = "'data/0001.tar.gz' is out of place"
    yield Broken(name="data-of-no-payload", finding=finding, content=content, is_committed=False)
    content = TWO.but(**{"data/0001.tar.gz": None})
    finding = "data/0001.tar is missing"
    yield Broken(
        name="data-of-a-payload-is-missing", finding=finding, content=content, is_committed=False
    )
    folder = Entry(name="data", kind=b"5")
    content = tar((version, manifest, header, folder, data))
    yield Broken(
        name="folder-in-the-outer-tar",
        finding="'data' is a directory",
        content=content,
        is_committed=False,
    )
    content = PLAIN.built()
    for name, tail, finding in (
        ("data-after-the-end", b"more", "there is data after its end"),
        ("second-artifact-after-the-end", content, "there is data after its end"),
        ("too-many-zeros-after-the-end", bytes((1 << 20) + 1), "there is data after its end"),
    ):
        yield Broken(name=name, finding=finding, content=content + tail, is_committed=False)
    half = tar((version, manifest, header, data), END[:512] + b"hidden".ljust(512, b"\0"))
    yield Broken(name="data-in-the-end", finding="only one block of zeros ends it", content=half)
    # A bootstrap artifact has no files, so nothing but its end shows that it is whole.
    bare = BOOTSTRAP.but(data=None)[:-1024]
    yield Broken(
        name="no-end", finding="ends at byte 3072 inside a header of artifact", content=bare
    )


def augmented() -> Iterator[Broken]:
    version, manifest, header, data = PLAIN.members.values()
    signature = SIGNED.members["manifest.sig"]
    more = Entry(name="header-augment.tar.gz", content=header.content)
    unlisted = Entry(name="manifest", content=LINES[0] + LINES[2])
    for name, entries in (
        ("augmented", (version, manifest, AUGMENT, header, more, data)),
        ("augmented-and-signed", (version, manifest, signature, AUGMENT, header, more, data)),
        ("header-augment-alone", (version, manifest, header, more, data)),
        ("manifest-augment-alone", (version, manifest, AUGMENT, header, data)),
    ):
        content = tar(entries)
        yield Broken(
            name=name,
            finding="is augmented",
            content=content,
            error=UnsupportedFeature,
            is_committed=False,
        )
    content = tar((version, unlisted, AUGMENT, header, more, data))
    yield Broken(
        name="header-digest-in-the-augment-manifest-alone",
        finding="must list 'version'",
        content=content,
    )
    assert sha256(header.content).encode() in AUGMENT.content


def _signature(raw: bytes) -> Entry:
    return signature_of(_Given(raw), b"")


class _Given:
    """Signs with fixed bytes."""

    public = EC_KEY.public

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def sign(self, message: bytes) -> bytes:
        return self._raw
