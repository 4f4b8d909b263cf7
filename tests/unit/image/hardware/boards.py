# SPDX-License-Identifier: Apache-2.0
"""A small board: its device tree, compiled, and kernels that drive it more or less well."""

from functools import cache

from ota_artifact.run import run
from ota_image.hardware.device_tree import DeviceTree, read_device_tree
from ota_image.hardware.drivers import Drivers, drivers_of
from ota_image.hardware.slot_drivers import Machine

SOURCE = """\
/dts-v1/;
/ {
  compatible = "acme,board", "acme,soc";
  #address-cells = <1>; #size-cells = <1>;
  aliases { serial2 = &uart; ethernet0 = &port; mmc0 = &card; };
  chosen { stdout-path = "serial2:115200n8"; };
  regulator: regulator { compatible = "acme,regulator"; };
  bus {
    compatible = "simple-bus";
    #address-cells = <1>; #size-cells = <1>; ranges;
    uart: serial@1000 { compatible = "ti,am3352-uart", "ti,omap3-uart"; reg = <0x1000 4>; };
    card: mmc@2000 { compatible = "acme,mmc"; reg = <0x2000 4>; vmmc-supply = <&regulator>; };
    wifi: mmc@3000 { compatible = "acme,sdio"; reg = <0x3000 4>; };
    phy: phy@4000 { compatible = "acme,phy"; reg = <0x4000 4>; #phy-cells = <1>; };
    switch@5000 {
      compatible = "acme,switch-v2", "acme,switch";
      reg = <0x5000 4>;
      ports {
        #address-cells = <1>; #size-cells = <0>;
        port: port@1 { reg = <1>; phys = <&phy 1>; };
      };
    };
    screen@6000 { compatible = "acme,screen"; reg = <0x6000 4>; };
    old@7000 { status = "disabled"; part { compatible = "acme,old"; }; };
  };
};
"""

ALIASES = """\
alias of:N*T*Cacme,mmcC* acme-mmc
alias of:N*T*Cacme,mmc acme-mmc
alias of:N*T*Cacme,sdio acme_sdio
alias of:N*T*Cacme,phy acme_phy
alias of:N*T*Cacme,switch-v2 acme_switch_new
alias of:N*T*Cacme,screen acme_screen
alias of:N*T*Cacme,old acme_old
alias usb:v0424pEC00d*dc*dsc*dp*ic*isc*ip*in* smsc95xx
alias usb:v*p*d*dc02dsc06dp*ic*isc*ip*in* cdc_ether
"""

MODULES = frozenset(("acme_mmc", "acme_sdio", "acme_phy", "acme_switch_new", "acme_screen"))


@cache
def compiled(source: str) -> bytes:
    """The flattened device tree of a source."""
    return run(("dtc", "-q", "-I", "dts", "-O", "dtb"), timeout=30, stdin=source.encode())


def tree(*changes: tuple[str, str]) -> DeviceTree:
    """The board's, with texts of the source replaced."""
    source = SOURCE
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    return read_device_tree(compiled(source))


def image_of(*tables: str) -> bytes:
    """A kernel, unpacked, whose own tables have these entries, and what every one has."""
    entries = ("simple-bus", "acme,regulator", "ti,omap3-uart", *tables)
    banner = b"\0Linux version 6.1.0-1 (nobody) \0"
    return banner + b"".join(each.encode().ljust(128, b"\0") for each in entries)


def kernel(
    *tables: str,
    aliases: str = ALIASES,
    builtin: tuple[str, ...] = ("kernel/drivers/tty/serial/omap-serial.ko",),
) -> Drivers:
    """One whose own tables have these entries."""
    return drivers_of(
        "6.1.0-1",
        aliases=aliases,
        modules=("kernel/drivers/mmc/host/acme-mmc.ko.xz", "kernel/drivers/mmc/host/acme_sdio.ko"),
        builtin=builtin,
        image=image_of(*tables),
    )


def machine(*changes: tuple[str, str], **others: object) -> Machine:
    """The board with a slot that suits it."""
    values: dict[str, object] = {
        "trees": {"board.dtb": tree(*changes)},
        "drivers": kernel(),
        "is_whole": True,
        "modules": MODULES,
        "initrd": frozenset({"acme_mmc"}),
        "storage": "/dev/mmcblk0",
        "consoles": ("ttyO2",),
    }
    return Machine(**(values | others))  # type: ignore[arg-type]
