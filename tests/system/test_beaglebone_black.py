# SPDX-License-Identifier: Apache-2.0
"""What tests can show of beaglebone-black without the board: the card as its ROM and SPL read it.

The card is the one that `ota-image build` makes. The tests do not show that the hardware works as
written here: QEMU has no such machine. The boot logic runs in tests/sandbox.

Source: AM335x Technical Reference Manual (SPRUH73), chapter 26, "Initialization": raw mode of
MMC/SD, configuration header, GP header, memory map; U-Boot, common/spl/spl_mmc.c and spl_fit.c.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_artifact.image.filesystem import open_filesystem, read_bytes
from ota_artifact.run import run
from ota_board.environment import decode
from ota_board.load import load_board
from ota_board.u_boot import compiled_environment, default_environment, factory_environment
from ota_image.build import Built, build
from ota_image.firmware.u_boot import UBoot, u_boot_of
from ota_image.hardware.device_tree import read_device_tree
from ota_image.packages.recipe import find_recipe, load_recipe, recipe_folders
from ota_image.rootfs.agent import tree_wheels
from ota_image.rootfs.settings import Settings
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.system.described import hil_of, programs_of, typos

FOLDER = ROOT / "boards" / "beaglebone-black"
BOARD = load_board(FOLDER)
DEFAULT = default_environment(BOARD, FOLDER)
FACTORY = factory_environment(DEFAULT)
SECTOR = 512  # [B]

ROM_LOOKS_AT = (0, 0x20000, 0x40000, 0x60000)
"""Where the ROM looks for a configuration header on a card, in this order [B]."""

SRAM, SRAM_STACK = 0x402F0400, 0x4030B800
"""The memory into which the ROM loads: its start, and that of the stack above it."""

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(900),  # [s] the first one waits for U-Boot and packages
    requires_program("arm-linux-gnueabihf-gcc", package="gcc-arm-linux-gnueabihf"),
    requires_program("fdtget", package="device-tree-compiler"),
]


@dataclass(frozen=True, slots=True)
class Mlo:
    """The program that the ROM loads and starts.

    Attributes:
        address: of its first byte in memory, where it starts.
    """

    address: int
    code: bytes


@pytest.fixture(scope="session")
def u_boot() -> UBoot:
    return u_boot_of(BOARD, FOLDER, None, print)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The image that a user gets."""
    recipe = load_recipe(find_recipe("minimal", recipe_folders(None)))
    settings = Settings(wheels=tree_wheels())
    return build(BOARD, FOLDER, recipe, settings, tmp_path_factory.mktemp("built"), say=print)


@pytest.fixture(scope="session")
def card(built: Built) -> bytes:
    """The card up to its first partition."""
    with built.image.open("rb") as file:
        return file.read(BOARD.layout.partition("boot").offset)


@pytest.fixture(scope="session")
def config(u_boot: UBoot) -> dict[str, str]:
    """The final configuration, without symbols that are not set."""
    text = (u_boot.folder / ".config").read_text("utf-8")
    return dict(re.findall(r'^CONFIG_(\w+)="?(.*?)"?$', text, re.MULTILINE))


@pytest.fixture(scope="session")
def fit(card: bytes, config: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card from the sector in SPL's configuration on, as a file: SPL's u-boot.img."""
    path = tmp_path_factory.mktemp("fit") / "u-boot.img"
    path.write_bytes(card[_sector(config) * SECTOR :])
    return path


def test_the_rom_finds_mlo_at_128_kib(card: bytes, u_boot: UBoot) -> None:
    found = rom_boot(card)

    assert found
    assert found == mlo_at(card, 0x20000)
    assert found.address == SRAM
    assert found.code == (u_boot.folder / "MLO").read_bytes()[520:]
    assert f"U-Boot SPL {u_boot.version}".encode() in found.code


def test_mlo_leaves_the_stack_of_the_rom_alone(card: bytes, config: dict[str, str]) -> None:
    found = rom_boot(card)

    assert found
    assert found.address + len(found.code) <= SRAM_STACK
    assert int(config["SPL_MAX_SIZE"], 0) <= SRAM_STACK - SRAM


def test_the_rom_finds_the_spare_mlo_when_the_first_is_spoiled(card: bytes) -> None:
    spoiled = card[:0x20000] + b"\xa5" * SECTOR + card[0x20000 + SECTOR :]

    assert mlo_at(spoiled, 0x20000) is None
    assert rom_boot(spoiled) == rom_boot(card)


def test_the_rom_takes_neither_the_partition_table_nor_u_boot_for_mlo(card: bytes) -> None:
    assert card[SECTOR - 2 : SECTOR] == b"\x55\xaa"
    assert [mlo_at(card, offset) is not None for offset in ROM_LOOKS_AT] == [
        False,
        True,
        True,
        False,
    ]


def test_spl_finds_u_boot_whole_where_its_configuration_says(
    card: bytes, config: dict[str, str], fit: Path, u_boot: UBoot
) -> None:
    assert config["SYS_MMCSD_RAW_MODE_U_BOOT_USE_SECTOR"] == "y"
    assert config["SPL_LOAD_FIT"] == "y"
    assert "SPL_LEGACY_IMAGE_FORMAT" not in config
    start = _sector(config) * SECTOR
    whole = (u_boot.folder / "u-boot.img").read_bytes()
    assert card[start : start + len(whole)] == whole

    digests = {name: digest_of(fit, name) for name in _list(fit, "/images")}

    assert "firmware-1" in digests
    assert len(digests) > 1
    assert all(said == computed for said, computed in digests.values())


def test_u_boot_has_the_device_tree_of_the_board_and_its_boot_logic(
    fit: Path, u_boot: UBoot
) -> None:
    names = {
        _get(fit, f"/configurations/{name}", "description"): name
        for name in _list(fit, "/configurations")
    }
    configuration = f"/configurations/{names['am335x-boneblack']}"
    assert _get(fit, configuration, "firmware") == "firmware-1"
    tree = image_of(fit, _get(fit, configuration, "fdt"))
    assert tree[:4] == b"\xd0\x0d\xfe\xed"
    assert b"ti,am335x-bone-black\0" in tree
    assert b"ti,omap3-wdt\0" in tree

    code = image_of(fit, "firmware-1")

    assert f"U-Boot {u_boot.version}".encode() in code
    for name, value in compiled_environment(DEFAULT).items():
        # Before the first of them is other data, which need not end with NUL.
        assert re.search(rb"(?<![ -~])%b\0" % re.escape(f"{name}={value}".encode()), code), name


def test_u_boot_cannot_tell_this_kernel_another_address_of_the_phy(fit: Path, built: Built) -> None:
    """README.md says so, and why; if this fails, U-Boot begins to change the address.

    It looks for a device of its own with the name of the node above `ethernet0` in Linux's tree.
    Source: U-Boot, board/ti/am335x/board.c, ft_board_setup
    """
    slot = BOARD.layout.partition("A")
    files = open_filesystem(built.image, slot.offset, slot.size)
    linux = read_device_tree(read_bytes(files, "/boot/dtbs/am335x-boneblack.dtb", 1 << 20))
    [port] = linux.aliased("ethernet")[:1]
    above = next(iter(linux.ancestors(port)))
    configuration = next(
        f"/configurations/{name}"
        for name in _list(fit, "/configurations")
        if _get(fit, f"/configurations/{name}", "description") == "am335x-boneblack"
    )

    own = read_device_tree(image_of(fit, _get(fit, configuration, "fdt")))

    assert port.name == "port"
    assert above.name == "ethernet-ports"
    assert above.name not in {node.name for node in own.nodes.values()}


def test_the_final_configuration_is_what_the_layout_and_the_contract_need(
    config: dict[str, str],
) -> None:
    first, second = BOARD.layout.environment
    wanted = {
        "ENV_IS_IN_MMC": "y",
        "SYS_REDUNDAND_ENVIRONMENT": "y",
        "ENV_OFFSET": f"{first.offset:#x}",
        "ENV_OFFSET_REDUND": f"{second.offset:#x}",
        "ENV_SIZE": f"{first.size:#x}",
        "SYS_MMC_ENV_DEV": "0",
        "SYS_MMC_ENV_PART": "0",
        "BOOTCOUNT_LIMIT": "y",
        "BOOTCOUNT_ENV": "y",
        "BOOTCOUNT_BOOTLIMIT": "1",
        "WATCHDOG": "y",
        "WATCHDOG_AUTOSTART": "y",
        "WATCHDOG_TIMEOUT_MSECS": f"{BOARD.watchdog.timeout * 1000}",
        "WDT": "y",
        "WDT_OMAP3": "y",
        "SPL_WATCHDOG": "y",
        # U-Boot proper does not change what SPL has set up, which includes the running watchdog.
        "SKIP_LOWLEVEL_INIT": "y",
    }
    unwanted = {
        "ENV_IS_NOWHERE",
        "ENV_IS_IN_FAT",
        "BOOTCOUNT_AM33XX",
        "BOOTCOUNT_AM33XX_NVMEM",
        "SPL_OS_BOOT",  # a kernel read raw, without the boot logic
        "SPL_WDT",  # nothing in SPL would start a watchdog of the device model
        "SPL_SKIP_LOWLEVEL_INIT",
    }

    assert {name: config.get(name) for name in wanted} == wanted
    assert unwanted & set(config) == set()


def test_spl_has_the_code_that_arms_the_watchdog(card: bytes, tmp_path: Path) -> None:
    """The linker leaves unused code out of SPL, so code that is there is called.

    Arming is 0xBBBB, then 0x4444, written to WSPR; stopping, 0xAAAA, then 0x5555.
    Source: AM335x Technical Reference Manual, chapter 20.4, "Watchdog Timer".
    """
    found = rom_boot(card)
    assert found
    (tmp_path / "spl").write_bytes(found.code)
    words = ("-D", "-b", "binary", "-m", "arm", "-M", "force-thumb")

    said = run(("arm-linux-gnueabihf-objdump", *words, tmp_path / "spl"), timeout=60).decode()

    assert re.search(r"movw\t\w+, #48059\b.*(?:\n.*){1,12}movw\t\w+, #17476\b", said)
    assert struct.pack("<I", 0x44E35000) in found.code


def test_what_its_hil_yaml_waits_for_is_in_its_programs(
    built: Built, u_boot: UBoot, tmp_path: Path
) -> None:
    programs = programs_of(BOARD, built, u_boot.folder, tmp_path)

    assert {"spl", "bootloader", "linux"} == set(programs)
    assert typos(hil_of(BOARD), programs) == []


def test_both_copies_of_the_environment_are_the_factorys(card: bytes) -> None:
    copies = [
        decode(card[area.offset : area.end], is_redundant=True) for area in BOARD.layout.environment
    ]

    assert [copy and copy.flag for copy in copies] == [1, 0]
    for copy in copies:
        assert copy
        assert copy.variables == FACTORY
        assert "mender_saveenv_canary" not in copy.variables


def rom_boot(card: bytes) -> Mlo | None:
    """The program that the ROM starts from a card in raw mode."""
    return next(filter(None, (mlo_at(card, offset) for offset in ROM_LOOKS_AT)), None)


def mlo_at(card: bytes, offset: int) -> Mlo | None:
    """The image at one place, if there is one.

    It starts with a configuration header of 512 B: a table of contents with CHSETTINGS, which has a
    key. An entry has offset, size, 12 unused bytes and a name of 12 B; an entry of ones ends the
    table. Then come size and address of the code, 4 B each, then the code.
    """
    entry = card[offset : offset + 32]
    begin, size = struct.unpack("<II", entry[:8])
    if entry[20:].rstrip(b"\0") != b"CHSETTINGS" or begin + size > SECTOR:
        return None
    if card[offset + 32 : offset + 64] != b"\xff" * 32:
        return None
    key, valid = struct.unpack("<IB", card[offset + begin : offset + begin + 5])
    if key != 0xC0C0C0C1 or valid:  # valid: the ROM would set clocks and memory by it
        return None
    size, address = struct.unpack("<II", card[offset + SECTOR : offset + SECTOR + 8])
    code = card[offset + SECTOR + 8 : offset + SECTOR + size]
    return Mlo(address, code)


def digest_of(fit: Path, name: str) -> tuple[int, int]:
    """The CRC-32 of a FIT's image: the stored one, and the computed one."""
    node = f"/images/{name}/{_list(fit, f'/images/{name}')[0]}"
    assert _get(fit, node, "algo") == "crc32"
    return int(_get(fit, node, "value", "x"), 16), zlib.crc32(image_of(fit, name))


def image_of(fit: Path, name: str) -> bytes:
    """An image of a FIT with external data, which begins behind its tree, aligned to 4 B."""
    data = fit.read_bytes()
    (size,) = struct.unpack(">I", data[4:8])
    base = (size + 3) & ~3
    offset = base + int(_get(fit, f"/images/{name}", "data-offset", "x"), 16)
    return data[offset : offset + int(_get(fit, f"/images/{name}", "data-size", "x"), 16)]


def _sector(config: dict[str, str]) -> int:
    return int(config["SYS_MMCSD_RAW_MODE_U_BOOT_SECTOR"], 0)


def _list(fit: Path, node: str) -> list[str]:
    return run(("fdtget", "-l", fit, node), timeout=10).decode().split()


def _get(fit: Path, node: str, name: str, kind: str = "s") -> str:
    return run(("fdtget", "-t", kind, fit, node, name), timeout=10).decode().strip()
