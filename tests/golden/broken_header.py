# SPDX-License-Identifier: Apache-2.0
"""Artifacts refused for the content of their header tar."""

from collections.abc import Iterator
from dataclasses import replace

from ota_artifact.errors import ArtifactError, UnsupportedFeature
from tests.golden.accepted import BOOTSTRAP, ROOTFS, SCRIPTS, TWO, VERSION_TWO
from tests.golden.cases import Broken
from tests.golden.draft import Draft, Entry, as_json, header_info, squeeze, tar, type_info

PLAIN = Draft()
INFO, TYPE_INFO, META_DATA = PLAIN.header
LONG = "n" * 257
SURROGATE = b'{"a":"\\ud800"}'

_COMMITTED = {
    "no-artifact-name",
    "payload-type-leads-out",
    "type-info-is-missing",
    "more-type-infos-than-payloads",
    "meta-data-is-a-list",
    "meta-data-of-an-empty-payload",
    "unknown-file-in-headers",
    "script-leads-out",
    "header-unpacks-to-too-much-zstd",
}


def broken_headers() -> Iterator[Broken]:
    for name, finding, content in (
        *_infos(),
        *_names(),
        *_type_infos(),
        *_meta_data(),
        *_orders(),
        *_scripts(),
        *_files(),
        *_tars(),
    ):
        error = UnsupportedFeature if name.startswith("link") else ArtifactError
        yield Broken(
            name=name,
            finding=finding,
            content=content,
            error=error,
            is_committed=name in _COMMITTED,
        )


_Row = tuple[str, str, bytes]


def _info(payloads: object = None, provides: object = None, depends: object = None) -> bytes:
    """An artifact with this header-info; None stands for the right value."""
    value = {
        "payloads": payloads if payloads is not None else [{"type": "single-file"}],
        "artifact_provides": provides if provides is not None else {"artifact_name": "release-2"},
        "artifact_depends": depends if depends is not None else {"device_type": ["board"]},
    }
    return _with("header-info", as_json(value))


def _with(name: str, content: bytes | None, draft: Draft = PLAIN) -> bytes:
    return draft.with_header(name, content).built()


def _infos() -> Iterator[_Row]:
    right = INFO.content
    unknown = right[:-1] + b',"x":1}'
    twice = right[:-1] + b',"payloads":[]}'
    yield "unknown-key-in-header-info", "header-info: 'x' is unknown", _with("header-info", unknown)
    yield "key-twice-in-header-info", "'payloads' appears twice", _with("header-info", twice)
    yield "header-info-is-not-json", "header-info: is not JSON", _with("header-info", right[:-1])
    yield "header-info-is-empty", "header-info: is not JSON", _with("header-info", b"")
    latin = right.replace(b"release-2", b"release-\xe9")
    yield "header-info-is-not-utf-8", "header-info: is not UTF-8", _with("header-info", latin)
    yield "no-payloads", "must list at least one payload", _info([])
    without = as_json({"artifact_provides": {"artifact_name": "r"}})
    yield "payloads-are-missing", "artifact_depends: is missing", _with("header-info", without)
    yield "payload-is-a-text", r"payloads\[0\]: must be", _info(["single-file"])
    extra = [{"type": "single-file", "x": 1}]
    yield "unknown-key-of-a-payload", r"payloads\[0\]: must be", _info(extra)
    yield "payload-type-is-a-number", "must be a string or null", _info([{"type": 1}])
    yield "payload-type-is-empty", "'' is not a payload type", _info([{"type": ""}])
    yield "payload-type-leads-out", "is not a payload type", _info([{"type": "../../bin/sh"}])
    yield "payload-type-is-an-option", "'-rf' is not a payload type", _info([{"type": "-rf"}])
    yield "payload-type-is-a-folder", "'..' is not a payload type", _info([{"type": ".."}])
    yield "no-artifact-name", "artifact_name: is missing", _info(provides={})
    yield "unknown-provides", "'x' is unknown", _info(provides={"artifact_name": "r", "x": "y"})
    yield "no-device-type", "must name at least one device type", _info(depends={})
    yield "no-device-types", "must name at least one", _info(depends={"device_type": []})
    yield "device-type-is-a-text", "must be a list of strings", _info(depends={"device_type": "b"})
    unknown_depends = {"device_type": ["b"], "x": ["y"]}
    yield "unknown-depends", "'x' is unknown", _info(depends=unknown_depends)
    null = right.replace(b'{"device_type":["board"]}', b"null")
    yield "depends-are-null", "artifact_depends: is missing or not", _with("header-info", null)
    group = {"artifact_name": "r", "artifact_group": 0}
    yield "group-is-a-number", "artifact_group: is missing or not a string", _info(provides=group)
    updates = VERSION_TWO.with_header("header-info", right)
    yield "version-2-with-payloads", "is unknown; known: artifact_name", updates.built()


def _names() -> Iterator[_Row]:
    for name, value in (
        ("is-too-long", LONG),
        ("is-too-long-in-bytes", "\u00e9" * 129),
        ("is-empty", ""),
        ("has-a-line-feed", "a\nb"),
        ("has-an-escape", "\x1b[2J"),
        ("turns-the-text-around", "\u202egnp"),
        ("has-a-nul", "a\0b"),
    ):
        finding = "artifact_name: (.* is longer than 256 B|is empty|.* unprintable character)"
        yield f"artifact-name-{name}", finding, _info(provides={"artifact_name": value})
    long = {"device_type": [LONG]}
    yield "device-type-is-too-long", "device_type: .* longer than 256 B", _info(depends=long)
    group = {"artifact_name": "r", "artifact_group": LONG}
    yield "group-is-too-long", "artifact_group: .* longer than 256 B", _info(provides=group)
    wanted = {"device_type": ["b"], "artifact_group": ["\x7f"]}
    yield "wanted-group-is-unprintable", "artifact_group: .* unprintable", _info(depends=wanted)
    wanted = {"device_type": ["b"], "artifact_name": [LONG]}
    yield "wanted-name-is-too-long", "artifact_name: .* longer than", _info(depends=wanted)
    for field in ("artifact_provides", "artifact_depends"):
        raw = type_info("single-file", **{field: {LONG: "v"}})
        row = f"{field.removeprefix('artifact_')}-key-is-too-long"
        yield row, f"{field}: .* longer than 256 B", _with("headers/0000/type-info", raw)
    surrogate = INFO.content.replace(b"release-2", b"\\ud800")
    yield "artifact-name-is-half-a-character", "is not UTF-8", _with("header-info", surrogate)


def _type_infos() -> Iterator[_Row]:
    path = "headers/0000/type-info"
    yield "type-info-is-missing", "headers/0000/type-info is missing", _with(path, None)
    for name, raw, finding in (
        ("type-info-of-another-type", type_info("other"), "the type is 'other', header-info says"),
        ("type-info-of-a-module-is-empty", type_info(""), "the type is '', header-info says"),
        ("type-info-of-null", type_info(None), "the type is 'None', header-info says"),
        ("type-info-without-type", b"{}", "the type is 'None', header-info says"),
        ("type-info-is-a-list", b"[]", "must be a JSON object"),
        ("type-info-is-empty", b"", "is not JSON"),
        (
            "provides-is-a-list",
            type_info("single-file", artifact_provides={"k": ["v"]}),
            "artifact_provides: 'k' must be a string",
        ),
        (
            "depends-is-null",
            type_info("single-file", artifact_depends={"k": None}),
            "artifact_depends: 'k' must be a string or a list",
        ),
        (
            "clears-is-a-text",
            type_info("single-file", clears_artifact_provides="*"),
            "clears_artifact_provides: must be a list of strings",
        ),
        (
            "provides-the-artifact-name-again",
            type_info("single-file", artifact_provides={"artifact_name": "other"}),
            "provides 'artifact_name', which is already provided",
        ),
    ):
        yield name, finding, _with(path, raw)
    more = Entry(name="headers/0001/type-info", content=type_info("single-file"))
    content = replace(PLAIN, header=(*PLAIN.header, more)).built()
    yield "more-type-infos-than-payloads", "'headers/0001/type-info' is unknown", content
    path = "headers/0001/type-info"
    content = replace(TWO, header=TWO.header[:2]).built()
    yield "fewer-type-infos-than-payloads", f"{path} is missing before the end", content
    same = {"artifact_provides": {"k": "v"}}
    both = TWO.with_header("headers/0000/type-info", type_info("one", **same))
    content = _with(path, type_info("two", **same), both)
    yield (
        "two-payloads-provide-the-same",
        f"{path}: provides 'k', which is already provided",
        content,
    )


def _meta_data() -> Iterator[_Row]:
    path = "headers/0000/meta-data"
    for name, raw, finding in (
        ("meta-data-is-a-list", b"[]", "must be a JSON object"),
        ("meta-data-is-a-number", b"1", "must be a JSON object"),
        ("meta-data-is-not-json", b"{", "is not JSON"),
        ("meta-data-has-a-key-twice", b'{"a":1,"a":2}', "the key 'a' appears twice"),
        ("meta-data-has-no-number", b'{"a":NaN}', "NaN is not a JSON number"),
        ("meta-data-has-a-huge-number", b'{"a":1e999}', "too large for a number"),
        ("meta-data-has-a-long-number", b'{"a":' + b"9" * 9999 + b"}", "is not JSON"),
        ("meta-data-is-too-deep", b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "not JSON"),
        ("meta-data-is-not-utf-8", b'{"a":"\xff"}', "is not UTF-8"),
        ("meta-data-has-half-a-character", SURROGATE, "is not UTF-8"),
    ):
        yield name, f"{path}: .*{finding}", _with(path, raw)
    huge = as_json({"a": "x" * (2 << 20)})
    yield "huge-meta-data", "type-info and meta-data may only have another", _with(path, huge)
    content = replace(
        BOOTSTRAP, header=(*BOOTSTRAP.header, Entry(name=path, content=b"{}"))
    ).built()
    yield "meta-data-of-an-empty-payload", "neither meta-data nor files", content


def _orders() -> Iterator[_Row]:
    for name, entries, finding in (
        ("header-info-is-not-first", (TYPE_INFO, INFO), "header-info must be its first file"),
        ("header-info-is-missing", (TYPE_INFO,), "header-info must be its first file"),
        ("header-is-empty", (), "header-info must be its first file"),
        ("header-info-twice", (INFO, INFO, TYPE_INFO), "type-info is missing before 'header-info'"),
        ("type-info-twice", (INFO, TYPE_INFO, TYPE_INFO), "unknown, repeated or out of order"),
        ("meta-data-first", (INFO, META_DATA, TYPE_INFO), "type-info is missing before"),
        (
            "unknown-file-in-headers",
            (INFO, TYPE_INFO, Entry(name="headers/0000/x")),
            "'headers/0000/x' is unknown",
        ),
        (
            "headers-number-has-one-digit",
            (INFO, replace(TYPE_INFO, name="headers/0/type-info")),
            "is missing before 'headers/0/type-info'",
        ),
        (
            "headers-path-has-a-folder",
            (INFO, replace(TYPE_INFO, name="headers/0000/x/type-info")),
            "is missing before 'headers/0000/x/type-info'",
        ),
        (
            "headers-path-leads-out",
            (INFO, TYPE_INFO, Entry(name="headers/0000/../../x")),
            "is unknown, repeated or out of order",
        ),
        ("unknown-file-in-header", (INFO, TYPE_INFO, Entry(name="x")), "'x' is unknown"),
        (
            "unknown-folder-in-header",
            (INFO, TYPE_INFO, Entry(name="headers/0000/sub/", kind=b"5")),
            "is not a directory of a header",
        ),
        (
            "folder-in-header-leads-out",
            (INFO, Entry(name="../", kind=b"5"), TYPE_INFO),
            "'../' is not a directory of a header",
        ),
    ):
        yield name, finding, replace(PLAIN, header=entries).built()


def _scripts() -> Iterator[_Row]:
    info, script, _, types = SCRIPTS.header
    for name, path in (
        ("leads-out", "scripts/../../etc/ArtifactInstall_Enter_00"),
        ("is-in-a-folder", "scripts/sub/ArtifactInstall_Enter_00"),
        ("is-hidden", "scripts/.ArtifactInstall_Enter_00"),
        ("of-the-device", "scripts/Idle_Enter_00"),
        ("without-number", "scripts/ArtifactInstall_Enter"),
        ("with-a-slash-behind", "scripts/ArtifactInstall_Enter_00_a/b"),
        ("with-a-space", "scripts/ArtifactInstall_Enter_00_a b"),
        ("without-name", "scripts/"),
    ):
        header = (info, replace(script, name=path), types)
        content = replace(SCRIPTS, header=header).built()
        yield f"script-{name}", "is not the name of a state script", content
    content = replace(SCRIPTS, header=(info, script, script, types)).built()
    yield "script-twice", "the script ArtifactInstall_Enter_00 appears twice", content
    late = replace(SCRIPTS, header=(info, types, script)).built()
    yield "script-after-type-info", "'scripts/ArtifactInstall_Enter_00' is unknown", late


def _files() -> Iterator[_Row]:
    image = ROOTFS.payloads[0][0]
    content = replace(ROOTFS, payloads=((image, replace(image, name="b")),)).built()
    yield "rootfs-image-with-two-files", "rootfs-image has one file; the manifest lists 2", content
    content = replace(ROOTFS, payloads=((),)).built()
    yield "rootfs-image-without-file", "rootfs-image has one file; the manifest lists 0", content
    content = replace(BOOTSTRAP, payloads=((image,),)).built()
    yield "file-of-an-empty-payload", "neither meta-data nor files", content
    path = "headers/0000/files"
    for name, raw, finding in (
        ("names-another-file", b'{"files":["b"]}', "lists other files than the manifest"),
        ("names-a-file-twice", b'{"files":["rootfs.ext4","rootfs.ext4"]}', "lists other files"),
        ("is-a-number", b'{"files":1}', "must list the names of files"),
        ("names-a-number", b'{"files":[1]}', "must list the names of files"),
    ):
        yield f"version-2-files-{name}", finding, _with(path, raw, VERSION_TWO)
    yield "version-2-files-missing", f"{path} is missing", _with(path, None, VERSION_TWO)


def _tars() -> Iterator[_Row]:
    flood = Entry(name="scripts/ArtifactInstall_Enter_00", content=bytes(17 << 20))
    bomb = replace(SCRIPTS, header=(SCRIPTS.header[0], flood, SCRIPTS.header[3]))
    for suffix, name in (("", "none"), (".gz", "gzip"), (".xz", "xz"), (".zst", "zstd")):
        finding = "at most 8388608 B" if not suffix else "(unpacks to more than|at most) 16777216 B"
        content = replace(bomb, suffix=suffix).built()
        yield f"header-unpacks-to-too-much-{name}", finding, content
    tail = squeeze(tar(PLAIN.header) + b"hidden", ".gz")
    yield "data-after-the-end-of-the-header", "data after its end", _packed(tail)
    twice = squeeze(tar(PLAIN.header), ".gz") + b"hidden" * 4
    yield "data-after-the-gzip-of-the-header", "damaged data", _packed(twice)
    yield "header-is-not-gzip", "damaged data", _packed(b"no gzip at all")
    yield "header-is-no-tar", "not a tar header", _packed(squeeze(b"no tar".ljust(1024), ".gz"))
    link = Entry(name="headers/0000/meta-data", kind=b"2", link=b"/etc/passwd")
    content = replace(PLAIN, header=(INFO, TYPE_INFO, link)).built()
    yield "link-in-the-header", "is a symbolic link", content
    many = [Entry(name="header-info", content=header_info(*["m"] * 40_000))]
    yield (
        "header-info-of-ten-thousand-payloads",
        "type-info is missing",
        replace(PLAIN, header=tuple(many)).built(),
    )


def _packed(stored: bytes) -> bytes:
    return replace(PLAIN, packed_header=stored).built()
