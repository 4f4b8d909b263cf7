# SPDX-License-Identifier: Apache-2.0
"""Artifacts that are taken."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from tests.golden.cases import Good
from tests.golden.draft import (
    VERSION_2,
    Draft,
    Entry,
    as_json,
    header_info,
    pax,
    squeeze,
    tar,
    type_info,
)
from tests.golden.keys import EC_KEY, HSM_KEY, OTHER_KEY, RSA_KEY
from tests.golden.written import written

IMAGE = b"a root filesystem\n"

ROOTFS = Draft(
    header=(
        Entry("header-info", header_info("rootfs-image")),
        Entry(
            "headers/0000/type-info",
            type_info(
                "rootfs-image",
                artifact_provides={"rootfs-image.version": "release-2"},
                artifact_depends={"rootfs-image.version": ["release-1", "release-0"]},
                clears_artifact_provides=["rootfs-image.*"],
            ),
        ),
        Entry("headers/0000/meta-data"),
    ),
    payloads=((Entry("rootfs.ext4", IMAGE),),),
)

OLD_TYPE_INFO = ROOTFS.with_header("headers/0000/type-info", b'{"type":""}')

TWO = Draft(
    header=(
        Entry("header-info", header_info("one", "two")),
        Entry("headers/0000/type-info", type_info("one")),
        Entry("headers/0001/type-info", type_info("two")),
        Entry("headers/0001/meta-data", b"{}"),
    ),
    payloads=((Entry("a", b"1"), Entry("b", b"2")), (Entry("a", b"3"),)),
)

BOOTSTRAP = Draft(
    header=(
        Entry("header-info", header_info(None)),
        Entry("headers/0000/type-info", type_info(None, artifact_provides={"k": "v"})),
    ),
    payloads=((),),
)

VERSION_TWO = Draft(
    version=VERSION_2,
    header=(
        Entry(
            "header-info",
            as_json(
                {
                    "updates": [{"type": "rootfs-image"}],
                    "device_types_compatible": ["board"],
                    "artifact_name": "release-2",
                }
            ),
        ),
        Entry("headers/0000/files", b'{"files":["rootfs.ext4"]}'),
        Entry("headers/0000/type-info", type_info("rootfs-image")),
        Entry("headers/0000/meta-data"),
    ),
    payloads=((Entry("rootfs.ext4", IMAGE),),),
)

SCRIPTS = Draft(
    header=(
        Entry("header-info", header_info("single-file")),
        Entry("scripts/ArtifactInstall_Enter_00", b"#!/bin/sh\nexit 0\n"),
        Entry("scripts/ArtifactCommit_Leave_10_tell", b"#!/bin/sh\nexit 0\n"),
        Entry("headers/0000/type-info", type_info("single-file")),
    ),
)

_FOLDERS = replace(
    SCRIPTS,
    header=(
        SCRIPTS.header[0],
        Entry("scripts", kind=b"5"),
        *SCRIPTS.header[1:3],
        Entry("headers/", kind=b"5"),
        Entry("headers/0000/", kind=b"5"),
        *SCRIPTS.header[3:],
    ),
)


@cache
def good_artifacts() -> dict[str, Good]:
    """Each by its name."""
    return {each.name: each for each in (*_plain(), *_signed(), *_tars(), *written())}


def _plain() -> Iterator[Good]:
    module = Draft()
    yield Good("module-gzip", module.built())
    yield Good("module-uncompressed", replace(module, suffix="").built(), is_committed=False)
    yield Good("module-zstd", replace(module, suffix=".zst").built())
    yield Good("module-xz", replace(module, suffix=".xz").built(), is_reproducible=False)
    yield Good("module-without-files", replace(module, payloads=((),)).built(), is_committed=False)
    yield Good("rootfs-image", ROOTFS.built(), is_committed=False)
    yield Good("rootfs-image-with-the-empty-type-of-old-tools", OLD_TYPE_INFO.built())
    yield Good("two-payloads", TWO.built())
    yield Good("bootstrap", BOOTSTRAP.built())
    yield Good("bootstrap-without-data", BOOTSTRAP.but(data=None), is_committed=False)
    yield Good("version-2", VERSION_TWO.built(), is_committed=False)
    yield Good("scripts", SCRIPTS.built(), is_committed=False)
    names = (Entry("file", b"1"), Entry("file.gz", b"2"), Entry("file.tar.gz", b"3"))
    yield Good(
        "names-that-differ-in-a-suffix",
        replace(module, payloads=(names,)).built(),
        is_committed=False,
    )
    whole = tar(module.payloads[0])
    members = b"".join(squeeze(part, ".gz") for part in (whole[:512], b"", whole[512:]))
    yield Good("several-gzip-members", module.with_data(members), is_committed=False)
    frames = b"".join(squeeze(part, ".zst") for part in (whole[:512], whole[512:]))
    skippable = b"\x53\x2a\x4d\x18\x03\0\0\0abc"
    zstd = replace(module, suffix=".zst")
    yield Good("several-zstd-frames", zstd.with_data(skippable + frames))


def _signed() -> Iterator[Good]:
    keys = (OTHER_KEY.public, EC_KEY.public)
    yield Good("signed-with-ecdsa", Draft(key=EC_KEY).built(), keys)
    yield Good("signed-with-ecdsa-in-der", Draft(key=HSM_KEY).built(), keys)
    yield Good("signed-with-rsa", Draft(key=RSA_KEY).built(), (RSA_KEY.public,))


def _tars() -> Iterator[Good]:
    yield Good("folders-in-the-header", _FOLDERS.built(), is_committed=False)
    gnu = tuple(replace(entry, magic=b"ustar  \0") for entry in Draft().header)
    long_name = Entry("././@LongLink", b"file\0", b"L", magic=b"ustar  \0")
    file = Entry("shortened", b"content\n", magic=b"ustar  \0")
    draft = replace(Draft(), header=gnu)
    stored = squeeze(tar((long_name, file)), ".gz")
    yield Good("gnu-tar", draft.with_data(stored))
    header = pax(path="file", size="8", mtime="1.5", uname="someone")
    stored = squeeze(tar((header, Entry("shortened", b"content\n", size=0))), ".gz")
    yield Good("pax-tar", Draft().with_data(stored))
    whole = Draft().built()
    yield Good("padded-with-zeros", whole + bytes(-len(whole) % 10_240), is_committed=False)
