# SPDX-License-Identifier: Apache-2.0
"""The list of the software in an image, for other tools.

Source: SPDX 2.3, clauses 6 (document) and 7 (package); purl specification, type "deb".
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from ota_image.packages.apt import Package
from ota_image.rootfs.slot import Slot


def software_list(
    name: str, slot: Slot, firmware: Sequence[Package] = (), *, u_boot: str = ""
) -> str:
    """The packages of an image: names, versions, digests.

    Args:
        name: of the release; the document has the same name.
        firmware: packages that the boot partition is made from.
        u_boot: version of the U-Boot that was compiled for the image; empty for none.
    """
    packages: list[dict[str, object]] = [
        {
            "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{each.name}-{each.arch}"),
            "name": each.name,
            "versionInfo": each.version,
            "supplier": "Organization: Debian",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "checksums": [{"algorithm": "SHA256", "checksumValue": each.sha256}],
            "externalRefs": [
                {
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:deb/debian/{quote(each.name, safe='')}"
                    f"@{quote(each.version, safe='')}?arch={each.arch}",
                }
            ],
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
        packages.append(
            {
                "SPDXID": "SPDXRef-u-boot-source",
                "name": "u-boot",
                "versionInfo": u_boot,
                "supplier": "NOASSERTION",
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": False,
                "comment": "compiled for the board; not from a binary package",
            }
        )
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
