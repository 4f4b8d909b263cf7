# SPDX-License-Identifier: Apache-2.0
"""Which modules a board gets, by its device trees."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ota_board.board import Board, Console, Kernel, Watchdog
from ota_board.load import board_folders, find_board, load_board
from ota_image.errors import ImageError
from ota_image.hardware.drivers import Drivers
from ota_image.rootfs.board_modules import BoardModules, choose_modules, trees_of
from ota_image.rootfs.modules import Modules
from tests.conftest import requires_program
from tests.unit.image.hardware.boards import ALIASES, MODULES, SOURCE, compiled, kernel, tree
from tests.unit.image.rootfs.test_modules import module

pytestmark = requires_program("dtc", package="device-tree-compiler")


@pytest.fixture
def known(tmp_path: Path) -> Modules:
    folder = tmp_path / "6.1.0-1" / "kernel"
    folder.mkdir(parents=True)
    for name in (*MODULES, "acme_reg", "acme_wdt", "smsc", "ext4"):
        (folder / f"{name}.ko").write_bytes(module("depends="))
    return Modules(folder.parent)


def board(**changes: object) -> Board:
    own = load_board(find_board("beaglebone-black", list(board_folders())))
    values: dict[str, object] = {
        "package": "linux-image",
        "format": "plain",
        "drivers": ("ext4",),
        "modules": ("smsc",),
        "left_out": {"no display": ("acme-screen",), "no Wi-Fi": ("acme_sdio",)},
    }
    return replace(
        own,
        kernel=Kernel(**(values | changes)),  # type: ignore[arg-type]
        console=Console("ttyO2", 115200),
        watchdog=Watchdog(driver="acme_wdt", armed_by="kernel", timeout=60),
    )


def chosen(
    known: Modules, own: Board, drivers: Drivers | None = None, said: list[str] | None = None
) -> BoardModules:
    say = (said if said is not None else []).append
    return choose_modules(own, known, drivers or kernel(), {"b.dtb": tree()}, ("ext4", "odd"), say)


def test_device_trees_choose_the_modules_and_the_watchdog_comes_first(known: Modules) -> None:
    found = chosen(known, board())

    assert found.initrd == ("acme_wdt", "acme_mmc", "ext4")
    assert set(found.slot) == {"acme_wdt", "ext4", "smsc"} | MODULES - {"acme_screen", "acme_sdio"}


def test_a_driver_that_another_kernel_renamed_is_found_again(known: Modules) -> None:
    renamed = kernel(aliases=ALIASES.replace("acme_phy", "smsc"))

    assert "acme_phy" not in chosen(known, board(), renamed).slot


def test_what_the_disk_needs_goes_into_the_initrd_before_its_host(known: Modules) -> None:
    aliases = f"{ALIASES}alias of:N*T*Cacme,regulator acme_reg\n"
    drivers = kernel(aliases=aliases)
    drivers = replace(drivers, tables=drivers.tables - {"acme,regulator"})

    assert chosen(known, board(), drivers).initrd == ("acme_wdt", "acme_reg", "acme_mmc", "ext4")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"drivers": ("ext5",)}, "'ext5': kernel 6.1.0-1 has no such module"),
        ({"modules": ("smsx",)}, "'smsx': kernel 6.1.0-1 has no such module"),
    ],
)
def test_a_module_that_the_kernel_lacks_is_an_error(
    known: Modules, changes: Mapping[str, object], text: str
) -> None:
    with pytest.raises(ImageError, match=rf"^boards/beaglebone-black/board\.yaml: {text}$"):
        chosen(known, board(**changes))


def test_a_console_that_this_kernel_calls_otherwise_is_an_error(known: Modules) -> None:
    own = replace(board(), console=Console("ttyS2", 115200))

    with pytest.raises(ImageError, match=r"console=ttyS2.*write console=ttyO2"):
        chosen(known, own)


def test_a_board_without_device_trees_is_not_judged_and_says_so(known: Modules) -> None:
    said: list[str] = []

    found = choose_modules(board(), known, kernel(), {}, (), said.append)

    assert found.initrd == ("acme_wdt", "ext4")
    assert said == ["hardware: not checked: beaglebone-black has no device trees of its own"]


def test_a_damaged_device_tree_of_the_kernels_package_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "b.dtb").write_bytes(compiled(SOURCE)[:99])

    with pytest.raises(ImageError, match=r"^b\.dtb: is a device tree that is cut off at 99 of"):
        trees_of({"b.dtb": tmp_path / "b.dtb"})
