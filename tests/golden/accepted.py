# SPDX-License-Identifier: Apache-2.0
"""Artifacts that are accepted."""

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
        Entry(name="header-info", content=header_info("rootfs-image")),
        Entry(
            name="headers/0000/type-info",
            content=type_info(
                "rootfs-image",
                artifact_provides={"rootfs-image.version": "release-2"},
                artifact_depends={"rootfs-image.version": ["release-1", "release-0"]},
                clears_artifact_provides=["rootfs-image.*"],
            ),
        ),
        Entry(name="headers/0000/meta-data"),
    ),
    payloads=((Entry(name="rootfs.ext4", content=IMAGE),),),
)

OLD_TYPE_INFO = ROOTFS.with_header("headers/0000/type-info", b'{"type":""}')

TWO = Draft(
    header=(
        Entry(name="header-info", content=header_info("one", "two")),
        Entry(name="headers/0000/type-info", content=type_info("one")),
        Entry(name="headers/0001/type-info", content=type_info("two")),
        Entry(name="headers/0001/meta-data", content=b"{}"),
    ),
    payloads=(
        (Entry(name="a", content=b"1"), Entry(name="b", content=b"2")),
        (Entry(name="a", content=b"3"),),
    ),
)

BOOTSTRAP = Draft(
    header=(
        Entry(name="header-info", content=header_info(None)),
        Entry(name="headers/0000/type-info", content=type_info(None, artifact_provides={"k": "v"})),
    ),
    payloads=((),),
)

VERSION_TWO = Draft(
    version=VERSION_2,
    header=(
        Entry(
            name="header-info",
            content=as_json(
                {
                    "updates": [{"type": "rootfs-image"}],
                    "device_types_compatible": ["board"],
                    "artifact_name": "release-2",
                }
            ),
        ),
        Entry(name="headers/0000/files", content=b'{"files":["rootfs.ext4"]}'),
        Entry(name="headers/0000/type-info", content=type_info("rootfs-image")),
        Entry(name="headers/0000/meta-data"),
    ),
    payloads=((Entry(name="rootfs.ext4", content=IMAGE),),),
)

SCRIPTS = Draft(
    header=(
        Entry(name="header-info", content=header_info("single-file")),
        Entry(name="scripts/ArtifactInstall_Enter_00", content=b"#!/bin/sh\nexit 0\n"),
        Entry(name="scripts/ArtifactCommit_Leave_10_tell", content=b"#!/bin/sh\nexit 0\n"),
        Entry(name="headers/0000/type-info", content=type_info("single-file")),
    ),
)

_FOLDERS = replace(
    SCRIPTS,
    header=(
        SCRIPTS.header[0],
        Entry(name="scripts", kind=b"5"),
        *SCRIPTS.header[1:3],
        Entry(name="headers/", kind=b"5"),
        Entry(name="headers/0000/", kind=b"5"),
        *SCRIPTS.header[3:],
    ),
)


@cache
def good_artifacts() -> dict[str, Good]:
    """Each by its name."""
    return {each.name: each for each in (*_plain(), *_signed(), *_tars(), *written())}


def _plain() -> Iterator[Good]:
    module = Draft()
    yield Good(name="module-gzip", content=module.built())
    yield Good(
        name="module-uncompressed", content=replace(module, suffix="").built(), is_committed=False
    )
    yield Good(name="module-zstd", content=replace(module, suffix=".zst").built())
    yield Good(
        name="module-xz", content=replace(module, suffix=".xz").built(), is_reproducible=False
    )
    yield Good(
        name="module-without-files",
        content=replace(module, payloads=((),)).built(),
        is_committed=False,
    )
    yield Good(name="rootfs-image", content=ROOTFS.built(), is_committed=False)
    yield Good(name="rootfs-image-with-the-empty-type-of-old-tools", content=OLD_TYPE_INFO.built())
    yield Good(name="two-payloads", content=TWO.built())
    yield Good(name="bootstrap", content=BOOTSTRAP.built())
    yield Good(name="bootstrap-without-data", content=BOOTSTRAP.but(data=None), is_committed=False)
    yield Good(name="version-2", content=VERSION_TWO.built(), is_committed=False)
    yield Good(name="scripts", content=SCRIPTS.built(), is_committed=False)
    names = (
        Entry(name="file", content=b"1"),
        Entry(name="file.gz", content=b"2"),
        Entry(name="file.tar.gz", content=b"3"),
    )
    yield Good(
        name="names-that-differ-in-a-suffix",
        content=replace(module, payloads=(names,)).built(),
        is_committed=False,
    )
    whole = tar(module.payloads[0])
    members = b"".join(squeeze(part, ".gz") for part in (whole[:512], b"", whole[512:]))
    yield Good(name="several-gzip-members", content=module.with_data(members), is_committed=False)
    frames = b"".join(squeeze(part, ".zst") for part in (whole[:512], whole[512:]))
    skippable = b"\x53\x2a\x4d\x18\x03\0\0\0abc"
    zstd = replace(module, suffix=".zst")
    yield Good(name="several-zstd-frames", content=zstd.with_data(skippable + frames))


def _signed() -> Iterator[Good]:
    keys = (OTHER_KEY.public, EC_KEY.public)
    yield Good(name="signed-with-ecdsa", content=Draft(key=EC_KEY).built(), keys=keys)
    yield Good(name="signed-with-ecdsa-in-der", content=Draft(key=HSM_KEY).built(), keys=keys)
    yield Good(name="signed-with-rsa", content=Draft(key=RSA_KEY).built(), keys=(RSA_KEY.public,))


def _tars() -> Iterator[Good]:
    yield Good(name="folders-in-the-header", content=_FOLDERS.built(), is_committed=False)
    gnu = tuple(replace(entry, magic=b"ustar  \0") for entry in Draft().header)
    long_name = Entry(name="././@LongLink", content=b"file\0", kind=b"L", magic=b"ustar  \0")
    file = Entry(name="shortened", content=b"content\n", magic=b"ustar  \0")
    draft = replace(Draft(), header=gnu)
    stored = squeeze(tar((long_name, file)), ".gz")
    yield Good(name="gnu-tar", content=draft.with_data(stored))
    header = pax(path="file", size="8", mtime="1.5", uname="someone")
    stored = squeeze(tar((header, Entry(name="shortened", content=b"content\n", size=0))), ".gz")
    yield Good(name="pax-tar", content=Draft().with_data(stored))
    whole = Draft().built()
    yield Good(
        name="padded-with-zeros", content=whole + bytes(-len(whole) % 10_240), is_committed=False
    )
