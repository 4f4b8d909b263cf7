# SPDX-License-Identifier: Apache-2.0
"""The header tar as a whole, and its limits."""

import time
from dataclasses import replace

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.header import Header, PayloadHeader, Script
from ota_artifact.header_tar import read_header
from ota_artifact.limits import Limits
from ota_artifact.manifest import parse_manifest
from tests.fuzz.session import forget_peak, peak
from tests.golden.accepted import SCRIPTS, TWO, VERSION_TWO
from tests.golden.draft import Draft, Entry, as_json, header_info, type_info


def read(draft: Draft, limits: Limits | None = None) -> Header:
    version = 2 if b'"version":2' in draft.version else 3
    manifest = parse_manifest(draft.lines)
    return read_header(draft.header_tar.content, manifest, version, limits or Limits())


def test_header_says_all_that_is_in_it() -> None:
    header = read(Draft())

    assert header == Header(
        version=3,
        artifact_name="release-2",
        compatible_types=("board",),
        payloads=(PayloadHeader(type="single-file", meta_data=b'{"mode":"0644"}'),),
    )


def test_scripts_keep_their_order_and_content() -> None:
    script = b"#!/bin/sh\nexit 0\n"

    assert read(SCRIPTS).scripts == (
        Script("ArtifactInstall_Enter_00", script),
        Script("ArtifactCommit_Leave_10_tell", script),
    )


def test_each_payload_has_its_own_header() -> None:
    assert [(each.type, each.meta_data) for each in read(TWO).payloads] == [
        ("one", b""),
        ("two", b"{}"),
    ]


def test_header_of_version_2_is_read() -> None:
    header = read(VERSION_TWO)

    assert (header.version, header.payloads[0].type) == (2, "rootfs-image")


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_header_unpacks_to_its_limit_and_no_further(suffix: str) -> None:
    draft = replace(SCRIPTS, suffix=suffix)
    size = 512 * 2 * len(SCRIPTS.header) + 1024

    assert read(draft, Limits(header=size)).artifact_name == "release-2"
    with pytest.raises(ArtifactError, match=f"unpacks to more than the limit of {size - 1} B"):
        read(draft, Limits(header=size - 1))


def test_json_of_a_header_shares_one_bound() -> None:
    size = sum(len(entry.content) for entry in Draft().header)

    assert read(Draft(), Limits(json=size)).artifact_name == "release-2"
    with pytest.raises(
        ArtifactError,
        match="has 15 B; header-info, type-info and meta-data may only have another 14",
    ):
        read(Draft(), Limits(json=size - 1))


def test_scripts_do_not_count_as_json() -> None:
    size = sum(len(entry.content) for entry in SCRIPTS.header if "script" not in str(entry.name))

    assert len(read(SCRIPTS, Limits(json=size)).scripts) == 2


@pytest.mark.boot
def test_header_of_nothing_but_lists_costs_bounded_memory() -> None:
    filling = b"[]," * ((2 << 20) // 3 - 300)
    raw = b'{"a":[' + filling[:-1] + b"]}"
    draft = Draft().with_header("headers/0000/meta-data", raw)
    stored, lines = draft.header_tar.content, draft.lines
    forget_peak()
    before = peak()

    header = read_header(stored, parse_manifest(lines), 3, Limits())

    assert len(header.payloads[0].meta_data) > 2_000_000
    assert peak() - before < 128 << 20


def test_many_payloads_with_many_files_are_read_in_time() -> None:
    count, each = 2000, 4
    entries = [Entry(name="header-info", content=header_info(*["m"] * count))]
    entries += [
        Entry(name=f"headers/{number:04}/type-info", content=type_info("m"))
        for number in range(count)
    ]
    draft = Draft(header=tuple(entries), payloads=(), suffix="")
    lines = b"".join(
        b"%064x  data/%04d/%d\n" % (0, number, file)
        for number in range(count)
        for file in range(each)
    )
    draft = replace(draft, more=lines)
    start = time.monotonic()

    header = read(draft)

    assert len(header.payloads) == count
    assert time.monotonic() - start < 5


def test_meta_data_is_kept_as_stored() -> None:
    raw = as_json({"b": [1, {"c": None}], "a": "\u00e9"}) + b"\n"

    header = read(Draft().with_header("headers/0000/meta-data", raw))

    assert header.payloads[0].meta_data == raw
