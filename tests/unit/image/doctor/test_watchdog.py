# SPDX-License-Identifier: Apache-2.0
"""What ends a silent hang, according to doctor, and what doctor finds missing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.board import Board, Watchdog
from ota_image.cli.main import main
from ota_image.doctor.case import Case, open_case
from ota_image.doctor.examine import examine
from ota_image.doctor.watchdog import cover_of, sentence
from ota_image.rootfs.initrd import initrd
from tests.conftest import requires_program
from tests.unit.image.disk.small import small_board
from tests.unit.image.doctor.good import VERSION, image, modules_dep

pytestmark = [
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
OURS = "OTA_DISK=/dev/mmcblk0\nOTA_WATCHDOG={}\nOTA_WATCHDOG_TIMEOUT={}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Case]:
    """A board and its image, as doctor reads it without being told the board."""
    folder = tmp_path_factory.mktemp("made")
    board = small_board(folder, "qemu-arm64")
    return board, open_case(image(folder, board), None, is_booted=False)


@pytest.mark.parametrize(
    ("watchdog", "said"),
    [
        (
            Watchdog(driver="omap_wdt", armed_by="u-boot", timeout=60),
            "watchdog: U-Boot arms omap_wdt, 60 s; a silent hang is not caught before that",
        ),
        (
            Watchdog(driver="omap_wdt", armed_by="u-boot", timeout=60, stopped_by="kernel"),
            "watchdog: U-Boot arms omap_wdt, 60 s; a silent hang is not caught before that, nor"
            " from the kernel's drivers until userspace starts it again",
        ),
        (
            Watchdog(driver="i6300esb", armed_by="kernel", timeout=30),
            "watchdog: Linux arms i6300esb, 30 s; a silent hang is not caught before userspace"
            " starts it, in the bootloader and in the kernel",
        ),
        (
            Watchdog(driver="", armed_by="nobody", timeout=0),
            "watchdog: nobody arms one; a silent hang is not caught at any time, and lasts until"
            " the power is cut",
        ),
    ],
)
def test_the_board_says_who_arms_it_and_from_when_on(
    made: tuple[Board, Case], watchdog: Watchdog, said: str
) -> None:
    board, case = made

    found = cover_of(replace(case, board=replace(board, watchdog=watchdog)))

    assert sentence(found) == said


@pytest.mark.boot
def test_an_initrd_that_starts_it_is_told_from_one_that_does_not(
    made: tuple[Board, Case], tmp_path: Path
) -> None:
    board, _ = made
    late = Watchdog(driver="i6300esb", armed_by="kernel", timeout=30)
    stopped = Watchdog(driver="omap_wdt", armed_by="u-boot", timeout=60, stopped_by="kernel")
    ours = image(tmp_path, board, {"boot/initrd.img": initrd(b"", [], late)})
    case = open_case(ours, board, is_booted=False)

    first, second = (
        cover_of(replace(case, board=replace(board, watchdog=each))).gap for each in (late, stopped)
    )

    assert first == "before the initrd starts it, in the bootloader and in the kernel"
    assert second == "before that, nor from the kernel's drivers until the initrd starts it again"


def test_an_image_that_says_nothing_says_so(made: tuple[Board, Case]) -> None:
    found = cover_of(made[1])

    assert sentence(found) == "watchdog: the image does not say what arms one; give --board"


@pytest.mark.boot
def test_without_a_board_the_slot_says_what_it_knows(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    for number, (name, text, said) in enumerate(
        (
            ("etc/ota/board", OURS.format("i6300esb", 30), "Linux arms i6300esb, 30 s"),
            ("etc/ota/board", OURS.format("''", 0), "nobody arms one"),
            ("etc/ota/board", OURS.format("a", "9" * 5000), "Linux arms a, 0 s"),
            ("etc/ota/board", "OTA_WATCHDOG='i6300esb\n", "nobody arms one"),
            ("etc/systemd/system.conf", "RuntimeWatchdogSec=" + "9" * 5000, "does not say"),
            ("etc/systemd/system.conf", "RuntimeWatchdogSec=20\n", "Linux arms a watchdog, 20 s"),
            ("etc/systemd/system.conf.d/w.conf", "RuntimeWatchdogSec=5s\n", "a watchdog, 5 s"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = image(folder, board, {name: text.encode()})

        assert said in sentence(cover_of(open_case(path, None, is_booted=False)))


@pytest.mark.boot
def test_the_command_says_it_in_both_forms_and_misses_the_driver(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board, {f"lib/modules/{VERSION}/modules.dep": modules_dep()})
    words = ["doctor", str(path), "--board", str(tmp_path / "boards" / "qemu-arm64")]

    assert main(words) == 2
    said = capsys.readouterr().out
    assert said.startswith(
        "error: watchdog-without-driver: slot A: /lib/modules\n  cause: the board's"
    )
    assert said.splitlines()[-1].startswith("watchdog: Linux arms i6300esb, 30 s; a silent hang")

    assert main([*words, "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert [each["hazard"] for each in found["findings"]] == ["watchdog-without-driver"]
    assert set(found["findings"][0]) == {"hazard", "place", "cause", "remedy", "severity"}
    assert found["watchdog"]["armed_by"] == "kernel"
    assert found["watchdog"]["gap"].startswith("before userspace starts it, in the")


@pytest.mark.boot
def test_a_driver_that_is_built_in_will_do(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    changes: dict[str, bytes | None] = {
        f"lib/modules/{VERSION}/modules.dep": modules_dep(),
        f"lib/modules/{VERSION}/modules.builtin": b"kernel/drivers/watchdog/i6300esb.ko\n",
    }

    assert examine(image(tmp_path, board, changes), board) == []
