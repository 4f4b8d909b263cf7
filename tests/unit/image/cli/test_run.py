# SPDX-License-Identifier: Apache-2.0
"""How `ota-image run` treats an image that something else uses."""

from pathlib import Path

import pytest

from ota_image.cli.main import main
from ota_image.firmware import machine
from tests.house.tree import ROOT
from tests.simulators.holding import another_holds


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A command line that boots an image without a bootloader to build."""
    for name in ("OVMF_CODE.fd", "OVMF_VARS.fd", "disk.sdimg"):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    monkeypatch.setattr(machine, "_UEFI", (tmp_path / "OVMF_CODE.fd",))
    disk = str(tmp_path / "disk.sdimg")
    return ("run", "qemu-x86-64", "--boards", str(ROOT / "boards"), "--disk", disk)


def test_an_image_that_a_board_writes_to_is_neither_booted_nor_copied(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with another_holds(tmp_path / "disk.sdimg"):
        assert main([*words, "--keep"]) == 3
        assert (
            "wait until it has ended, or boot another image with --disk" in capsys.readouterr()[1]
        )

        assert main(words) == 3
        assert "is using it; wait until it has ended" in capsys.readouterr()[1]
