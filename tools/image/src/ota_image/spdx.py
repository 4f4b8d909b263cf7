# SPDX-License-Identifier: Apache-2.0
"""The list of the software in an image, for other tools.

Source: SPDX 2.3, clauses 6 (document) and 7 (package); purl specification, type "deb".
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from ota_image.firmware.u_boot import UBoot
from ota_image.packages.apt import Package
from ota_image.rootfs.slot import Slot

_UNSAFE = "By apt's settings, the lists of packages could be unsigned or old: {}."


def software_list(
    name: str,
    slot: Slot,
    suite: str,
    firmware: Sequence[Package] = (),
    *,
    u_boot: UBoot | None = None,
    doubts: Sequence[str] = (),
) -> str:
    """The packages of an image: names, versions, digests.

    Args:
        name: of the release; the document has the same name.
        suite: of Debian, that the packages are from.
        firmware: packages that the boot partition is made from.
        u_boot: the U-Boot that was compiled for the image.
        doubts: settings of apt by which a list of packages could be unsigned or old.
    """
    packages: list[dict[str, object]] = [
        {
            "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{each.name}-{each.arch}"),
            "name": each.name,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            **_from_debian(each, suite),
        }
        for each in (*slot.packages, *firmware)
    ]
    packages += [
        {
            "SPDXID": f"SPDXRef-{each.name}",
            "name": each.name,
            "versionInfo": each.version,
            "supplier": "NOASSERTION",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "checksums": [{"algorithm": "SHA256", "checksumValue": each.sha256}],
            "comment": "an unpacked Python wheel",
        }
        for each in slot.wheels
    ]
    if u_boot:
        packages.append(_u_boot(u_boot, suite))
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"urn:ota-kit:{name}:{slot.sha256}",
        "creationInfo": {
            "created": f"{datetime.fromtimestamp(slot.time, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "creators": ["Tool: ota-image"],
        },
        **({"comment": _UNSAFE.format(", ".join(doubts))} if doubts else {}),
        "packages": packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": each["SPDXID"],
            }
            for each in packages
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _purl(package: Package, suite: str) -> str:
    name, version = (quote(text, safe="") for text in (package.name, package.version))
    return f"pkg:deb/debian/{name}@{version}?arch={package.arch}&distro={suite}"


def _u_boot(u_boot: UBoot, suite: str) -> dict[str, object]:
    plain: dict[str, object] = {
        "SPDXID": "SPDXRef-u-boot-source",
        "name": "u-boot",
        "versionInfo": u_boot.version,
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "comment": "compiled for the board; not from a binary package",
    }
    return {**plain, **(_from_debian(u_boot.package, suite) if u_boot.package else {})}


def _from_debian(package: Package, suite: str) -> dict[str, object]:
    """What a package of Debian's has: version, digest and where to look for known faults."""
    reference = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": _purl(package, suite),
    }
    return {
        "versionInfo": package.version,
        "supplier": "Organization: Debian",
        "checksums": [{"algorithm": "SHA256", "checksumValue": package.sha256}],
        "externalRefs": [reference],
    }
