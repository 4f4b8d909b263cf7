# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from ota_image.hardware.slot_drivers import judge, root_host, wanted, wanted_early
from tests.conftest import requires_program
from tests.unit.image.hardware.boards import ALIASES, MODULES, kernel, machine, tree

pytestmark = requires_program("dtc", package="device-tree-compiler")

NO_ALIAS = ("mmc0 = &card; ", "")


def hazards(*changes: tuple[str, str], **others: object) -> list[tuple[str, str]]:
    found = judge(machine(*changes, **others)).findings
    return [(each.hazard, each.place.rpartition("/")[2]) for each in found]


def test_a_slot_with_all_that_the_device_tree_asks_for_has_no_hazard() -> None:
    judged = judge(machine())

    assert judged.findings == ()
    assert judged.notes == ()


def test_the_modules_of_enabled_nodes_are_wanted_and_no_others() -> None:
    assert set(wanted(tree(), kernel())) == MODULES


def test_a_driver_in_the_kernel_itself_for_the_more_specific_device_needs_no_module() -> None:
    aliases = ALIASES.replace("switch-v2 acme_switch_new", "switch acme_switch")

    assert "acme_switch" in wanted(tree(), kernel(aliases=aliases))
    assert "acme_switch" not in wanted(tree(), kernel("acme,switch-v2", aliases=aliases))


@pytest.mark.parametrize(
    ("module", "node"),
    [("acme_phy", "phy@4000"), ("acme_switch_new", "switch@5000"), ("acme_screen", "screen@6000")],
)
def test_an_enabled_device_whose_module_is_not_in_the_slot(module: str, node: str) -> None:
    assert hazards(modules=MODULES - {module}) == [("device-without-driver", node)]
    assert hazards(modules=MODULES - {module}, left_out=frozenset({module})) == []


def test_a_network_that_neither_the_kernel_nor_the_slot_drives() -> None:
    """All that an image shows are the modules that it has."""
    own = "".join(f"{line}\n" for line in ALIASES.splitlines() if "switch" not in line)
    own = "".join(f"{line}\n" for line in own.splitlines() if "phy" not in line)

    judged = judge(machine(drivers=kernel(aliases=own), is_whole=False))

    found = [(each.hazard, each.place.rpartition("/")[2]) for each in judged.findings]
    assert found == [
        ("network-without-driver", "switch@5000"),
        ("network-without-driver", "phy@4000"),
    ]
    assert "board.dtb: 2 nodes have no driver in the slot" in judged.notes[0]


def test_an_adapter_on_usb_is_found_by_its_numbers() -> None:
    usb = ('compatible = "acme,switch-v2", "acme,switch"', 'compatible = "usb424,ec00"')

    assert "smsc95xx" in wanted(tree(usb), kernel())
    assert ("device-without-driver", "switch@5000") in hazards(usb)


def test_the_disk_and_what_supplies_it_are_driven_by_the_initrd() -> None:
    supply = kernel(aliases=f"{ALIASES}alias of:N*T*Cacme,regulator acme_regulator\n")
    without = replace(supply, tables=supply.tables - {"acme,regulator"})
    there = MODULES | {"acme_regulator"}

    assert hazards(initrd=frozenset()) == [("initrd-without-driver", "mmc@2000")]
    assert hazards(drivers=supply, modules=there) == []
    assert hazards(drivers=without, modules=there) == [("initrd-without-driver", "regulator")]
    early = wanted_early(machine(drivers=without), tree())
    assert list(early) == ["acme_mmc", "acme_regulator"]


def test_the_disk_is_the_host_with_its_alias_or_the_only_one_that_the_initrd_drives() -> None:
    by_alias, alone = machine(), machine(NO_ALIAS)
    both = frozenset({"acme_mmc", "acme_sdio"})

    for each in (by_alias, alone, machine(initrd=both)):
        host = root_host(each, each.trees["board.dtb"])
        assert host is not None
        assert host.path == "/bus/mmc@2000"
    assert [name for name, _ in hazards(NO_ALIAS, initrd=both)] == ["storage-by-luck"]
    assert [name for name, _ in hazards(NO_ALIAS, initrd=frozenset())] == ["initrd-without-driver"]


def test_a_disk_whose_number_another_host_has() -> None:
    assert hazards(("mmc0 = &card", "mmc1 = &wifi")) == [("storage-by-another-name", "aliases")]


@pytest.mark.parametrize(
    ("builtin", "name"),
    [
        (("omap-serial",), "ttyO2"),
        (("8250_omap",), "ttyS2"),
        (("omap-serial", "8250_omap"), "ttyS2"),
    ],
)
def test_the_console_has_the_name_that_the_kernels_driver_gives_it(
    builtin: tuple[str, ...], name: str
) -> None:
    drivers = kernel(builtin=tuple(f"kernel/drivers/tty/serial/{each}.ko" for each in builtin))

    assert hazards(drivers=drivers, consoles=(name,)) == []
    assert hazards(drivers=drivers, consoles=("tty0", name)) == []
    assert hazards(drivers=drivers, consoles=()) == []
    wrong = judge(machine(drivers=drivers, consoles=("ttyAMA0",))).findings
    assert [each.hazard for each in wrong] == ["console-without-port"]
    assert name in wrong[0].remedy


def test_a_port_that_only_another_driver_knows_stays_dark() -> None:
    """As with Linux 6.18's device trees of AM335x and a kernel with omap-serial."""
    [found] = judge(machine((', "ti,omap3-uart"', ""))).findings

    assert found.hazard == "console-without-driver"
    assert "no driver for ti,am3352-uart, which would be 8250_omap" in found.cause


def test_only_a_watchdog_resets_some_boards_so_its_driver_is_in_the_initrd() -> None:
    drivers = kernel()
    on_arm64 = replace(drivers, is_arm64=True)
    psci = ("  regulator:", '  psci { compatible = "arm,psci-1.0"; };\n  regulator:')

    assert hazards(drivers=on_arm64, watchdog="acme-wdt") == [
        ("initrd-without-reset", "board.dtb: acme_wdt")
    ]
    assert hazards(psci, drivers=on_arm64, watchdog="acme-wdt") == []
    assert hazards(drivers=drivers, watchdog="acme-wdt") == []
    early = frozenset({"acme_mmc", "acme_wdt"})
    assert hazards(drivers=on_arm64, watchdog="acme-wdt", initrd=early) == []


@pytest.mark.parametrize(
    ("changes", "others", "note"),
    [
        ((('compatible = "acme,board", "acme,soc";', ""),), {}, "its root node has no compatible"),
        ((('stdout-path = "serial2:115200n8";', ""),), {}, "has no stdout-path"),
        ((("serial2 = &uart; ", ""), ("serial2:115200n8", "/bus/serial@1000")), {}, "has no alias"),
        ((('"ti,am3352-uart", "ti,omap3-uart"', '"acme,uart"'),), {}, "no driver is known for it"),
        ((), {"initrd": None}, "the initrd cannot be read"),
        ((), {"storage": "/dev/sda"}, "says nothing of /dev/sda"),
    ],
)
def test_what_cannot_be_judged_is_a_note_and_not_a_hazard(
    changes: tuple[tuple[str, str], ...], others: dict[str, object], note: str
) -> None:
    judged = judge(machine(*changes, **others))

    assert judged.findings == ()
    assert len(judged.notes) == 1
    assert note in judged.notes[0]


def test_a_kernel_that_cannot_be_unpacked_is_a_note() -> None:
    drivers = kernel()
    packed = replace(drivers, tables=frozenset())

    notes = judge(machine(drivers=packed)).notes

    assert "kernel 6.1.0-1: cannot be unpacked" in notes[0]
