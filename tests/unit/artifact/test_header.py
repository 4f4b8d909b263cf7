# SPDX-License-Identifier: Apache-2.0
"""header-info and type-info, as they are written and read; what is refused is in tests/golden."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_artifact.errors import ArtifactError
from ota_artifact.header import (
    Header,
    PayloadHeader,
    format_header_info,
    format_type_info,
    format_version,
    parse_header_info,
    parse_type_info,
    parse_version,
)

ROOTFS = PayloadHeader(type="rootfs-image")
HEADER = Header(
    version=3, artifact_name="v2", compatible_types=("board", "other"), payloads=(ROOTFS,)
)
TEXT = st.text(st.characters(categories=("L", "M", "N", "P", "S")), min_size=1, max_size=40)
TYPES = st.text("azAZ09_", min_size=1, max_size=20)


def test_version_is_written_as_mender_artifact_does() -> None:
    assert format_version(3) == b'{"format":"mender","version":3}'
    assert parse_version(b' {"version": 2, "format": "mender"}\n') == 2


def test_header_info_is_written_as_mender_artifact_does() -> None:
    full = replace(HEADER, artifact_group="g", depends_names=("v1",), depends_groups=("g", "h"))

    assert format_header_info(HEADER) == (
        b'{"payloads":[{"type":"rootfs-image"}],"artifact_provides":{"artifact_name":"v2"},'
        b'"artifact_depends":{"device_type":["board","other"]}}'
    )
    assert format_header_info(full) == (
        b'{"payloads":[{"type":"rootfs-image"}],'
        b'"artifact_provides":{"artifact_name":"v2","artifact_group":"g"},'
        b'"artifact_depends":{"artifact_name":["v1"],"device_type":["board","other"],'
        b'"artifact_group":["g","h"]}}'
    )


def test_header_info_of_version_2_is_written_as_mender_artifact_does() -> None:
    raw = format_header_info(replace(HEADER, version=2))

    assert json.loads(raw) == {
        "artifact_name": "v2",
        "updates": [{"type": "rootfs-image"}],
        "device_types_compatible": ["board", "other"],
    }
    assert parse_header_info(raw, 2).compatible_types == ("board", "other")


@settings(deadline=None, max_examples=50)
@given(
    types=st.lists(st.none() | TYPES, min_size=1, max_size=3),
    name=TEXT,
    devices=st.lists(TEXT, min_size=1, max_size=3),
    group=st.none() | TEXT,
    names=st.lists(TEXT, max_size=3),
    groups=st.lists(TEXT, max_size=3),
)
def test_header_info_that_is_written_is_read(
    types: list[str | None],
    name: str,
    devices: list[str],
    group: str | None,
    names: list[str],
    groups: list[str],
) -> None:
    payloads = tuple(PayloadHeader(type=each) for each in types)
    header = Header(
        version=3,
        artifact_name=name,
        compatible_types=tuple(devices),
        payloads=payloads,
        scripts=(),
        artifact_group=group,
        depends_names=tuple(names),
        depends_groups=tuple(groups),
    )

    info = parse_header_info(format_header_info(header), 3)

    assert info.types == tuple(types)
    assert (info.artifact_name, info.compatible_types) == (name, tuple(devices))
    assert (info.artifact_group, info.depends_names) == (group, tuple(names))
    assert info.depends_groups == tuple(groups)


def test_empty_group_is_none() -> None:
    raw = format_header_info(replace(HEADER, artifact_group="g")).replace(b'"g"', b'""')

    assert parse_header_info(raw, 3).artifact_group is None


@settings(deadline=None, max_examples=50)
@given(
    provides=st.dictionaries(TEXT, st.text(max_size=10)),
    depends=st.dictionaries(TEXT, st.text(max_size=10) | st.lists(st.text(max_size=5)).map(tuple)),
    clears=st.lists(st.text(max_size=10)).map(tuple),
)
def test_type_info_that_is_written_is_read(
    provides: dict[str, str], depends: dict[str, str | tuple[str, ...]], clears: tuple[str, ...]
) -> None:
    payload = PayloadHeader(type="dir", provides=provides, depends=depends, clears=clears)

    assert parse_type_info(format_type_info(payload, 3), "dir", "x") == payload


def test_type_info_is_sorted_by_key_as_go_writes_it() -> None:
    payload = PayloadHeader(
        type="dir",
        provides={"b": "1", "a": "2"},
        depends={"d": ("x",), "c": "y"},
        clears=("b.*", "a.*"),
    )

    assert format_type_info(payload, 3) == (
        b'{"type":"dir","artifact_depends":{"c":"y","d":["x"]},'
        b'"artifact_provides":{"a":"2","b":"1"},"clears_artifact_provides":["b.*","a.*"]}'
    )
    assert format_type_info(PayloadHeader(type=None), 3) == b'{"type":null}'
    assert format_type_info(payload, 2) == b'{"type":"dir"}'


def test_empty_type_is_read_for_a_root_filesystem_alone_and_never_written() -> None:
    payload = parse_type_info(b'{"type":""}', "rootfs-image", "x")

    assert payload.type == "rootfs-image"
    assert b'"rootfs-image"' in format_type_info(payload, 3)
    for expected in ("dir", None):
        with pytest.raises(ArtifactError, match="the type is ''"):
            parse_type_info(b'{"type":""}', expected, "x")


def test_unknown_keys_of_a_type_info_are_passed_over() -> None:
    assert parse_type_info(b'{"type":"dir","new":1}', "dir", "x") == PayloadHeader(type="dir")


def test_provides_of_all_payloads_are_one() -> None:
    payloads = (
        PayloadHeader(type="a", provides={"k": "1"}),
        PayloadHeader(type="b", provides={"l": "2"}),
    )
    header = replace(HEADER, payloads=payloads, artifact_group="g")

    assert header.provides == {"artifact_name": "v2", "artifact_group": "g", "k": "1", "l": "2"}


@pytest.mark.parametrize("key", ["artifact_name", "artifact_group", "k"])
def test_key_that_is_provided_twice_is_refused(key: str) -> None:
    payloads = (
        PayloadHeader(type="a", provides={"k": "1"}),
        PayloadHeader(type="b", provides={key: "2"}),
    )
    header = replace(HEADER, payloads=payloads, artifact_group="g")

    with pytest.raises(ArtifactError, match=f"headers/0001/type-info: provides '{key}'"):
        _ = header.provides
