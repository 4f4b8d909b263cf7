# SPDX-License-Identifier: Apache-2.0
"""The list of software has what SPDX 2.3 requires, and what other tools need to find packages.

Source: SPDX 2.3, clauses 6, 7 and 11, and its JSON schema: required fields, patterns, values.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ota_image.firmware.u_boot import UBoot
from ota_image.packages.apt import Package
from ota_image.rootfs.slot import Slot
from ota_image.rootfs.wheel import Wheel
from ota_image.spdx import software_list

SLOT = Slot(
    path=Path("slot.ext4"),
    sha256="ab" * 32,
    release="1.2+3",
    packages=(
        Package(name="libstdc++6", version="12.2.0-14+deb12u1", arch="arm64", sha256="01" * 32),
        Package(name="busybox", version="1:1.35.0-4+b3~x", arch="arm64", sha256="02" * 32),
        Package(name="ca-certificates", version="20230311", arch="all", sha256="03" * 32),
    ),
    time=1_700_000_000,
)


@pytest.fixture
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(software_list("minimal-1.2+3", SLOT, "trixie"))
    return found


def test_the_document_has_what_is_required(document: dict[str, Any]) -> None:
    assert document["spdxVersion"] == "SPDX-2.3"
    assert document["dataLicense"] == "CC0-1.0"
    assert document["SPDXID"] == "SPDXRef-DOCUMENT"
    assert document["name"] == "minimal-1.2+3"
    assert document["creationInfo"] == {
        "created": "2023-11-14T22:13:20Z",
        "creators": ["Tool: ota-image"],
    }
    namespace = urlsplit(document["documentNamespace"])
    assert (namespace.scheme, namespace.fragment) == ("urn", "")
    assert SLOT.sha256 in namespace.path


def test_it_says_that_lists_could_be_unsigned(document: dict[str, Any]) -> None:
    text = software_list("minimal-1.2+3", SLOT, "trixie", doubts=["trusted=yes of trixie"])

    said = (
        "By apt's settings, the lists of packages could be unsigned or old: trusted=yes of trixie."
    )
    assert json.loads(text)["comment"] == said
    assert "comment" not in document


def test_firmware_and_u_boot_are_in_it_too() -> None:
    blob = Package(name="raspi-firmware", version="1.2023", arch="all", sha256="04" * 32)

    source = Package(name="u-boot", version="2025.01-3", arch="source", sha256="06" * 32)
    u_boot = UBoot(Path("u-boot"), "2025.01", source)

    found = json.loads(software_list("minimal-1.2+3", SLOT, "trixie", [blob], u_boot=u_boot))

    names = {each["name"]: each for each in found["packages"]}
    assert names["u-boot"]["checksums"][0]["checksumValue"] == "06" * 32
    assert names["raspi-firmware"]["checksums"][0]["checksumValue"] == "04" * 32
    assert names["u-boot"]["versionInfo"] == "2025.01-3"
    described = {each["relatedSpdxElement"] for each in found["relationships"]}
    assert described == {each["SPDXID"] for each in found["packages"]}


def test_the_agent_is_in_it_too() -> None:
    wheel = Wheel(
        path=Path("ota_agent-0.1.0.whl"),
        name="ota-agent",
        version="0.1.0",
        tags=("py3-none-any",),
        python=">=3.11",
        needs=(),
        sha256="05" * 32,
    )

    found = json.loads(
        software_list("minimal-1.2+3", dataclasses.replace(SLOT, wheels=(wheel,)), "trixie")
    )

    (agent,) = (each for each in found["packages"] if each["name"] == "ota-agent")
    assert agent["versionInfo"] == "0.1.0"
    assert agent["checksums"] == [{"algorithm": "SHA256", "checksumValue": "05" * 32}]
    assert found["relationships"][-1]["relatedSpdxElement"] == agent["SPDXID"]


def test_every_package_has_what_is_required(document: dict[str, Any]) -> None:
    for found, package in zip(document["packages"], SLOT.packages, strict=True):
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", found["SPDXID"])
        assert (found["name"], found["versionInfo"]) == (package.name, package.version)
        assert found["downloadLocation"] == "NOASSERTION"
        assert found["filesAnalyzed"] is False  # or a verification code were required
        assert re.fullmatch(r"(Person|Organization): .+", found["supplier"])
        assert found["checksums"] == [{"algorithm": "SHA256", "checksumValue": package.sha256}]
    identifiers = [found["SPDXID"] for found in document["packages"]]
    assert len(set(identifiers)) == len(identifiers)


def test_packages_are_looked_up_by_their_purl(document: dict[str, Any]) -> None:
    references = [each for found in document["packages"] for each in found["externalRefs"]]

    assert {each["referenceCategory"] for each in references} == {"PACKAGE-MANAGER"}
    assert {each["referenceType"] for each in references} == {"purl"}
    assert [each["referenceLocator"] for each in references] == [
        "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=arm64&distro=trixie",
        "pkg:deb/debian/busybox@1%3A1.35.0-4%2Bb3~x?arch=arm64&distro=trixie",
        "pkg:deb/debian/ca-certificates@20230311?arch=all&distro=trixie",
    ]


def test_the_document_describes_each_package_once(document: dict[str, Any]) -> None:
    pairs = [
        (each["spdxElementId"], each["relationshipType"], each["relatedSpdxElement"])
        for each in document["relationships"]
    ]

    assert pairs == [
        ("SPDXRef-DOCUMENT", "DESCRIBES", each["SPDXID"]) for each in document["packages"]
    ]


def test_the_same_slot_gives_the_same_bytes() -> None:
    assert software_list("a", SLOT, "trixie") == software_list("a", SLOT, "trixie")
