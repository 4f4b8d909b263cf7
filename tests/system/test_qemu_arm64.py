# SPDX-License-Identifier: Apache-2.0
"""The image of qemu-arm64, as `ota-image build` makes it: it boots, and does an A/B cycle."""

from pathlib import Path

import pytest

from ota_artifact.reader import open_artifact
from tests.conftest import requires_program
from tests.system.images import Image
from tests.system.u_boot_cycle import go_through

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("qemu-system-aarch64", package="qemu-system-arm"),
    requires_program("aarch64-linux-gnu-gcc", package="gcc-aarch64-linux-gnu"),
    requires_program("ssh", package="openssh-client"),
]


def test_slot_a_of_the_image_is_the_payload_of_the_artifact(arm64: Image) -> None:
    area = arm64.board.layout.partition("A")

    with arm64.built.artifact.open("rb") as file, arm64.built.image.open("rb") as disk:
        disk.seek(area.offset)
        for payload in open_artifact(file).payloads():
            for each in payload.files():
                assert each.size == area.size
                assert all(disk.read(len(chunk)) == chunk for chunk in each.chunks())


def test_the_board_boots_falls_back_rolls_back_and_commits(arm64: Image, tmp_path: Path) -> None:
    go_through(arm64, tmp_path)
