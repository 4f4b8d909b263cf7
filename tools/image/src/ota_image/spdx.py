# SPDX-License-Identifier: Apache-2.0
"""What software is in an image, as other tools read it.

Source: SPDX 2.3, clauses 6 (document) and 7 (package); purl specification, type "deb".
"""

import json
import re
from datetime import UTC, datetime
from urllib.parse import quote

from ota_image.debian.rootfs import Slot


def software_list(name: str, slot: Slot) -> str:
    """The packages of a root filesystem: names, versions, digests.

    Args:
        name: of the release, which is the document's.
    """
    packages = [
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
        for each in slot.packages
    ]
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
