# SPDX-License-Identifier: Apache-2.0
"""The security version in what a payload provides."""

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.header import PayloadHeader
from ota_artifact.provides import Software
from ota_artifact.security_version import (
    MOST,
    SecurityVersion,
    parse_number,
    provides_of,
    security_version,
)


@pytest.mark.parametrize("text", ["", "-1", "01", "1.5", "1 ", "٣", str(MOST + 1), "9" * 5000])
def test_only_a_number_in_range_is_a_security_version(text: str) -> None:
    with pytest.raises(ArtifactError, match=r"option: .* is not a security version; use"):
        parse_number(text, "option")


@pytest.mark.parametrize(
    ("software", "module", "key"),
    [
        (None, "", "rootfs-image"),
        (Software(filesystem="other", name="x"), "", "rootfs-image"),
        (Software(), "deb", "rootfs-image.deb"),
        (Software(name="app"), "deb", "rootfs-image.app"),
        (Software(filesystem="data", name="app"), "deb", "data.app"),
    ],
)
def test_each_software_has_a_key_of_its_own(
    software: Software | None, module: str, key: str
) -> None:
    found = provides_of(3, software=software, module=module)

    assert found == {f"{key}.security_version": "3"}
    payload = PayloadHeader(type=module or "rootfs-image", provides=found)
    assert security_version(payload) == SecurityVersion(key, 3)


def test_floors_that_may_be_lowered_are_above_the_number() -> None:
    found = provides_of(3, lowers=(5, 6))

    payload = PayloadHeader(type="rootfs-image", provides=found)
    assert security_version(payload) == SecurityVersion("rootfs-image", 3, (5, 6))
    with pytest.raises(ArtifactError, match="3 is not above the security version 3"):
        provides_of(3, lowers=(5, 3))


@pytest.mark.parametrize(
    ("kind", "provides", "finding"),
    [
        ("deb", {"rootfs-image.security_version": "3"}, r"does not belong to .* 'deb'"),
        ("rootfs-image", {"rootfs-image.x.security_version": "3"}, "does not belong to"),
        ("deb", {"a.security_version": "3", "b.security_version": "3"}, "has one"),
        ("deb", {"a.security_version": "three"}, "not a security version"),
        ("deb", {"a.security_lowers": "3"}, "needs 'a.security_version'"),
        ("deb", {"a.security_version": "3", "a.security_lowers": "x"}, "not a security version"),
    ],
)
def test_a_payload_has_one_number_of_its_own_software(
    kind: str, provides: dict[str, str], finding: str
) -> None:
    with pytest.raises(ArtifactError, match=finding):
        security_version(PayloadHeader(type=kind, provides=provides))
