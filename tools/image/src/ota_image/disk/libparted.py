# SPDX-License-Identifier: Apache-2.0
"""A program that says what libparted makes of a file: `python -m ota_image.disk.libparted FILE`.

It is a process of its own, since libparted keeps one state for each process, may abort on a table
that it does not expect, and takes settings from the environment alone. It gets a copy that it may
spoil: libparted writes into some images as it reads them. See docs/design/partition-tables.md.
"""

import json
import sys
from typing import Any


def look(path: str) -> dict[str, Any]:
    """The label, partitions and free space of a file; an empty label: libparted knows none."""
    import parted

    ped = parted._ped  # the lower half of pyparted, which has the exceptions
    said: list[str] = []

    def hear(_kind: int, _options: int, message: str) -> int:
        said.append(message)
        return int(ped.EXCEPTION_RESOLVE_UNHANDLED)  # libparted continues as it does unattended

    parted.register_exn_handler(hear)
    try:
        device = parted.getDevice(path)
        disk = parted.newDisk(device)
    except (ped.PartedException, ped.DiskException, ped.DeviceException, ped.IOException):
        return {"label": "", "messages": said}
    sector = device.sectorSize
    has_names = disk.supportsFeature(parted.DISK_TYPE_PARTITION_NAME)
    alignment = device.optimumAlignment
    return {
        "label": disk.type,
        "partitions": [
            {
                "number": each.number,
                "name": each.name if has_names else "",
                "offset": each.geometry.start * sector,
                "size": each.geometry.length * sector,
                "filesystem": each.fileSystem.type if each.fileSystem else "",
                "flags": each.getFlagsAsString(),
                "is_aligned": alignment.isAligned(each.geometry, each.geometry.start),
            }
            for each in disk.partitions
        ],
        "free": [
            [each.start * sector, each.length * sector] for each in disk.getFreeSpaceRegions()
        ],
        "messages": said,
    }


if __name__ == "__main__":
    print(json.dumps(look(sys.argv[1])))
