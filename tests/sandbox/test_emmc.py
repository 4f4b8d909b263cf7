# SPDX-License-Identifier: Apache-2.0
"""The line for U-Boot's prompt that erases the bootloader on the eMMC of a BeagleBone Black.

Nothing runs of the boot logic. The sandbox has the commands, and memory where the board has it.
"""

from pathlib import Path

import pytest

from ota_artifact.run import run, stream
from tests.house.tree import ROOT
from tests.sandbox.build import BOARD_TREE, HERE
from tests.sandbox.started import SANDBOX

pytestmark = [*SANDBOX]
README = ROOT / "boards" / "beaglebone-black" / "README.md"
MIB = 1 << 20
OLD = b"\xa5" * (8 * MIB)
EMMC = """
/ {
	aliases {
		mmc1 = &emmc;
	};

	emmc: emmc {
		compatible = "sandbox,mmc";
		filename = "emmc.img";
	};
};
"""


@pytest.fixture
def line() -> str:
    lines = README.read_text("utf-8").splitlines()
    [found] = [each.strip() for each in lines if each.startswith("    mmc dev 1 ")]
    return found


def typed(line: str, sandboxes: Path, tree: Path, folder: Path) -> str:
    """What U-Boot says to a line at its prompt, in a folder with the disks."""
    there = ("sh", "-c", 'cd "$0" && exec "$@" < /dev/null', str(folder))
    argv = (*there, str(sandboxes / "beaglebone-black"), "-d", str(tree), "-c", line)
    said: list[bytes] = []
    stream(argv, silence=30, sink=said.append)
    return b"".join(said).decode("utf-8", "replace")


def test_it_erases_the_first_mib_of_the_emmc_and_nothing_else(
    line: str, sandboxes: Path, tmp_path: Path
) -> None:
    for name in ("disk.sdimg", "emmc.img"):
        (tmp_path / name).write_bytes(OLD)
    (tmp_path / "two.dts").write_text((HERE / "card.dts").read_text("utf-8") + EMMC)
    two = tmp_path / "two.dtb"
    run(("dtc", "-q", "-O", "dtb", "-o", two, tmp_path / "two.dts"), timeout=60)

    said = typed(line, sandboxes, two, tmp_path)

    assert "2048 blocks written: OK" in said
    assert (tmp_path / "emmc.img").read_bytes() == bytes(MIB) + OLD[MIB:]
    assert (tmp_path / "disk.sdimg").read_bytes() == OLD


def test_without_an_emmc_it_leaves_the_card_alone(
    line: str, sandboxes: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk.sdimg").write_bytes(OLD)

    said = typed(line, sandboxes, sandboxes / BOARD_TREE, tmp_path)

    assert "no mmc device at slot 1" in said
    assert (tmp_path / "disk.sdimg").read_bytes() == OLD
