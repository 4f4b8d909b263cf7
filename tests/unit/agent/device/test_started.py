# SPDX-License-Identifier: Apache-2.0
"""Which bootloader started this boot, as `ota-agent status` says it."""

from pathlib import Path

import pytest

from ota_agent.device.started import bootloader


@pytest.mark.parametrize(
    ("version", "arguments", "says"),
    [
        (
            b"2025.01\0",
            "root=/dev/mmcblk0p2 ota.logic=1 quiet",
            "is U-Boot 2025.01, with boot logic 1",
        ),
        (None, "root=/dev/vda2 ota.logic=2", "has boot logic 2"),
        (
            b"2016.03\0",
            "root=/dev/mmcblk0p2 ota.logic= quiet",
            "is U-Boot 2016.03, without this kit's boot logic or with an old one",
        ),
        (None, "ota.logic=", "is another one, without this kit's boot logic or with an old one"),
        (b"2023.01\0", "root=/dev/mmcblk0p2", "is U-Boot 2023.01"),
        (None, "root=/dev/vda2", ""),
        (None, None, ""),
    ],
)
def test_it_is_told_as_far_as_it_is_known(
    tmp_path: Path, version: bytes | None, arguments: str | None, says: str
) -> None:
    if version is not None:
        chosen = tmp_path / "device-tree" / "chosen"
        chosen.mkdir(parents=True)
        (chosen / "u-boot,version").write_bytes(version)
    if arguments is not None:
        (tmp_path / "cmdline").write_text(f"{arguments}\n")

    assert bootloader(tmp_path) == says
