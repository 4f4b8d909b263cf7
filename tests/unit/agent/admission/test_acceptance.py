# SPDX-License-Identifier: Apache-2.0
"""What is for this device is taken; what is not is refused, with what is missing."""

from dataclasses import replace

import pytest

from ota_agent.admission.acceptance import check_acceptance
from ota_agent.errors import AgentError
from ota_artifact.header import Header, PayloadHeader

HEADER = Header(
    version=3,
    artifact_name="v2",
    compatible_types=("board", "other"),
    payloads=(PayloadHeader(type="rootfs-image"),),
)
PROVIDES = {"artifact_name": "v1", "artifact_group": "beta", "rootfs-image.checksum": "ab"}


def depending(**depends: str | tuple[str, ...]) -> Header:
    return replace(HEADER, payloads=(PayloadHeader(type="rootfs-image", depends=depends),))


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        replace(HEADER, depends_names=("v0", "v1")),
        replace(HEADER, depends_groups=("beta",)),
        depending(artifact_name="v1"),
        depending(**{"rootfs-image.checksum": ("cd", "ab")}),
        depending(device_type=("board",)),
    ],
)
def test_what_is_for_this_device_is_taken(header: Header) -> None:
    check_acceptance(header, "board", PROVIDES)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (replace(HEADER, compatible_types=("x",)), "v2: is for x, and this device is 'board'"),
        (
            replace(HEADER, depends_names=("v0", "v3")),
            "depends on artifact_name 'v0' or 'v3', and this device provides 'v1'; install what",
        ),
        (replace(HEADER, depends_groups=("prod",)), "artifact_group 'prod', and this device prov"),
        (depending(missing="x"), "depends on missing 'x', and this device provides nothing of"),
        (depending(**{"rootfs-image.checksum": ("cd",)}), "'cd', and this device provides 'ab'"),
        (depending(device_type="other"), "device_type 'other', and this device provides 'board'"),
    ],
)
def test_what_is_not_is_refused_with_the_reason(header: Header, said: str) -> None:
    with pytest.raises(AgentError) as refusal:
        check_acceptance(header, "board", PROVIDES)

    assert said in str(refusal.value)


def test_a_second_payload_depends_too() -> None:
    second = PayloadHeader(type="single-file", depends={"app": "1"})

    with pytest.raises(AgentError, match="depends on app '1'"):
        check_acceptance(replace(HEADER, payloads=(*HEADER.payloads, second)), "board", PROVIDES)
