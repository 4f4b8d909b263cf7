# SPDX-License-Identifier: Apache-2.0
"""A slot that this device's U-Boot could not start."""

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads.memory import require_room
from ota_artifact.memory import Needs, meta_data_of

PI = {"kernel_addr_r": "0x200000", "fdt_addr_r": "0x2600000", "ramdisk_addr_r": "0x2700000"}
"""The addresses of a raspberrypi3 that was made before they were checked."""


def test_a_kernel_that_reaches_into_the_device_tree_is_refused_with_the_remedy() -> None:
    debian_13 = meta_data_of(Needs(kernel=0x2510000, device_tree=30_000, initrd=1 << 20))

    with pytest.raises(AgentError, match=r"kernel to 0x200000.* reach to 0x2710000.*device tree"):
        require_room(debian_13, PI)


@pytest.mark.parametrize(
    ("meta_data", "environment"),
    [
        (meta_data_of(Needs(kernel=0x2010000, device_tree=30_000, initrd=1 << 20)), PI),
        (b"", PI),
        (b'{"memory": "all"}', PI),
        (meta_data_of(Needs(kernel=1 << 30, initrd=1 << 20)), {}),  # GRUB
    ],
)
def test_what_fits_and_what_cannot_be_judged_is_taken(
    meta_data: bytes, environment: dict[str, str]
) -> None:
    require_room(meta_data, environment)
