# SPDX-License-Identifier: Apache-2.0
"""What Linux calls a serial port: that depends on the driver, and so on the kernel."""

from dataclasses import dataclass

from ota_image.hardware.device_tree import DeviceTree, Node
from ota_image.hardware.drivers import Drivers


@dataclass(frozen=True, slots=True)
class Port:
    """A driver of serial ports.

    Attributes:
        driver: its module's name.
        stem: of the names of its ports.
        compatible: the start of what its nodes are compatible with.
    """

    driver: str
    stem: str
    compatible: tuple[str, ...]


_OMAP = ("ti,omap2-uart", "ti,omap3-uart", "ti,omap4-uart")
_LATER = ("ti,am3352-uart", "ti,am4372-uart", "ti,dra742-uart", "ti,am654-uart")

PORTS = (
    # If a kernel has both, 8250_omap takes the port. omap_serial does not know the later names, and
    # from Linux 6.18 on the device trees of AM335x have no other.
    Port("8250_omap", "ttyS", (*_OMAP, *_LATER)),
    Port("omap_serial", "ttyO", _OMAP),
    Port("8250_bcm2835aux", "ttyS", ("brcm,bcm2835-aux-uart",)),
    Port("8250_bcm7271", "ttyS", ("brcm,bcm7271-uart", "brcm,bcm7278-uart")),
    Port("8250_dw", "ttyS", ("snps,dw-apb-uart", "marvell,armada-38x-uart", "rockchip,")),
    Port("8250_mtk", "ttyS", ("mediatek,",)),
    Port("8250_tegra", "ttyS", ("nvidia,tegra",)),
    Port("8250_uniphier", "ttyS", ("socionext,uniphier-uart",)),
    Port("8250_of", "ttyS", ("ns8250", "ns16")),
    Port("amba_pl011", "ttyAMA", ("arm,pl011", "arm,sbsa-uart")),
    Port("imx", "ttymxc", ("fsl,imx",)),
    Port("fsl_lpuart", "ttyLP", ("fsl,vf610-lpuart", "fsl,ls1021a-lpuart", "fsl,ls1028a-lpuart")),
    Port("meson_uart", "ttyAML", ("amlogic,",)),
    Port("msm_serial", "ttyMSM", ("qcom,msm-uart",)),
    Port("qcom_geni_serial", "ttyMSM", ("qcom,geni-",)),
    Port("atmel_serial", "ttyS", ("atmel,", "microchip,sam9x60-usart")),
    Port("stm32_usart", "ttySTM", ("st,stm32",)),
    Port("samsung_tty", "ttySAC", ("samsung,",)),
    Port("sh_sci", "ttySC", ("renesas,",)),
    Port("sifive", "ttySIF", ("sifive,",)),
    Port("xilinx_uartps", "ttyPS", ("cdns,uart-", "xlnx,xuartps")),
)
"""Source: Linux, drivers/tty/serial: each driver's table of nodes and its ``dev_name``."""


def stdout(tree: DeviceTree) -> Node | None:
    """The serial port that the device tree names for the console; None if it names none."""
    chosen = tree.nodes.get("/chosen")
    texts = chosen.texts("stdout-path") if chosen else ()
    return tree.find(texts[0]) if texts else None


def port_of(node: Node, drivers: Drivers) -> Port | None:
    """The driver that takes a serial port, if this kernel has one that we know."""
    for compatible in node.compatible:
        for port in PORTS:
            if compatible.startswith(port.compatible) and _has(drivers, port.driver):
                return port
    return None


def known_drivers(node: Node) -> tuple[str, ...]:
    """The drivers that would take a serial port, in whatever kernel."""
    names = node.compatible
    return tuple(
        port.driver for port in PORTS if any(each.startswith(port.compatible) for each in names)
    )


def _has(drivers: Drivers, name: str) -> bool:
    return name in drivers.builtin or name in drivers.paths
