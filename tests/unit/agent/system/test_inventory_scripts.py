# SPDX-License-Identifier: Apache-2.0
"""The programs that say who the device is and what is in it, in each shell that it may have."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ota_agent.server.attributes import identity, inventory
from ota_artifact.errors import ProgramError
from ota_artifact.run import run
from ota_board.environment import encode
from tests.conftest import requires_program
from tests.house.tree import ROOT

SHARE = ROOT / "tools" / "agent" / "system" / "share" / "ota"
SHELLS = (
    pytest.param(("dash",), id="dash", marks=requires_program("dash", package="dash")),
    pytest.param(
        ("busybox", "sh"), id="busybox", marks=requires_program("busybox", package="busybox")
    ),
)
SIZE = 0x4000

in_each_shell = pytest.mark.parametrize("shell", SHELLS)


def said(
    shell: tuple[str, ...], script: str, root: Path, more: Mapping[str, str] | None = None
) -> list[str]:
    environment = {"OTA_ROOT": str(root), **(more or {})}
    output = run((*shell, SHARE / script), timeout=10, environment=environment)
    return output.decode().splitlines()


def put(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def card(name: str, index: int, kind: int = 1, address: str = "") -> dict[str, str]:
    """A network card; its device is of the board."""
    return {**virtual(name, index, kind, address), f"sys/class/net/{name}/device/vendor": "0x1\n"}


def virtual(name: str, index: int, kind: int = 1, address: str = "") -> dict[str, str]:
    """An interface without a device."""
    folder = f"sys/class/net/{name}"
    return {
        f"{folder}/type": f"{kind}\n",
        f"{folder}/ifindex": f"{index}\n",
        f"{folder}/address": f"{address or f'00:00:00:00:00:{index:02}'}\n",
    }


def wireless(name: str, index: int) -> dict[str, str]:
    return {**card(name, index), f"sys/class/net/{name}/phy80211/name": "phy0\n"}


def on_usb(root: Path, name: str, place: str) -> None:
    """Have the device of a card be at a place of the USB."""
    device, real = root / "sys/class/net" / name / "device", root / "sys/devices/usb1" / place
    real.parent.mkdir(parents=True, exist_ok=True)
    device.rename(real)
    device.symlink_to(real)


@in_each_shell
def test_a_device_is_its_first_network_card(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path, virtual("lo", 1, 772) | wireless("wlan0", 2) | card("eth0", 9))

    assert said(shell, "identity/mac", tmp_path) == ["mac=00:00:00:00:00:09"]


@in_each_shell
@pytest.mark.parametrize(
    "other",
    [
        *(virtual(each, 2) for each in ("docker0", "br0", "bond0", "veth1a", "dummy0", "vlan1")),
        card("can0", 2, 280),
        card("eth1", 2, address="00:00:00:00:00:00"),
        card("eth1", 2, address="01:00:5e:00:00:01"),
        card("eth1", 2, address="ff:ff:ff:ff:ff:ff"),
        card("eth1", 2, address=""),
        card("a-usb0", 2, address="5a:11:22:33:44:55"),
        {**card("a0", 2), "sys/class/net/a0/addr_assign_type": "1\n"},
        wireless("a0", 2),
        {"sys/class/net/bonding_masters": "bond0\n"},
    ],
    ids=lambda files: "-".join(sorted({name.split("/")[3] for name in files})),
)
def test_no_other_interface_is_taken_for_the_boards_card(
    shell: tuple[str, ...], tmp_path: Path, other: dict[str, str]
) -> None:
    put(tmp_path, card("eth0", 9) | other)
    if other.get("sys/class/net/eth1/address") == "00:00:00:00:00:02\n":
        (tmp_path / "sys/class/net/eth1/address").write_text("\n")

    assert said(shell, "identity/mac", tmp_path) == ["mac=00:00:00:00:00:09"]


@in_each_shell
def test_the_order_in_which_the_kernel_finds_the_cards_does_not_matter(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    found = []
    for boot, (one, other) in enumerate([(2, 3), (3, 2)]):
        root = tmp_path / f"boot-{boot}"
        put(root, card("eth0", one, address="00:00:00:00:00:aa"))
        put(root, card("eth1", other, address="00:00:00:00:00:bb"))
        found += said(shell, "identity/mac", root)

    assert found == ["mac=00:00:00:00:00:aa"] * 2


@in_each_shell
def test_a_card_that_is_plugged_in_does_not_take_the_place_of_the_boards_own(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    put(tmp_path, card("eth0", 2, address="00:00:00:00:00:aa") | card("eth1", 3))
    on_usb(tmp_path, "eth0", "1-2")
    assert said(shell, "identity/mac", tmp_path) == ["mac=00:00:00:00:00:03"]

    on_usb(tmp_path, "eth1", "1-1")
    assert said(shell, "identity/mac", tmp_path) == ["mac=00:00:00:00:00:03"]


@in_each_shell
def test_a_card_in_a_bond_has_its_own_address_still(shell: tuple[str, ...], tmp_path: Path) -> None:
    own = {"sys/class/net/eth0/bonding_slave/perm_hwaddr": "00:00:00:00:00:aa\n"}
    put(tmp_path, virtual("bond0", 4) | card("eth0", 2) | own)

    assert said(shell, "identity/mac", tmp_path) == ["mac=00:00:00:00:00:aa"]


@in_each_shell
def test_a_card_without_an_address_of_its_maker_is_better_than_none(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    put(tmp_path, card("eth0", 2, address="52:54:00:12:34:56") | virtual("br0", 1))

    assert said(shell, "identity/mac", tmp_path) == ["mac=52:54:00:12:34:56"]


@in_each_shell
def test_a_device_without_a_card_has_to_be_told_apart_otherwise(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    put(tmp_path, virtual("lo", 1, 772) | virtual("docker0", 2))

    with pytest.raises(ProgramError, match="exit code 1: no network card"):
        said(shell, "identity/mac", tmp_path)


@in_each_shell
def test_an_address_that_is_random_at_each_boot_is_never_an_identity(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    """smsc95xx and lan78xx take one if the firmware's was not passed on."""
    random = {"sys/class/net/eth0/addr_assign_type": "1\n"}
    put(tmp_path, card("eth0", 2, address="b2:71:00:12:34:56") | random)

    with pytest.raises(ProgramError, match=r"exit code 1: no network card.* eth0 is random; put"):
        said(shell, "identity/mac", tmp_path)


@in_each_shell
def test_a_device_that_mender_knew_stays_who_it_was(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path, card("eth0", 2))
    name = "usr/share/mender/identity/mender-device-identity"
    put(tmp_path, {name: "#!/bin/sh\necho serial=7\n"})
    (tmp_path / name).chmod(0o755)

    assert said(shell, "identity/mac", tmp_path) == ["serial=7"]


@in_each_shell
@pytest.mark.parametrize(
    ("place", "machine", "expected"),
    [
        ("boot/efi/EFI/BOOT/mender_grubenv1/lock", "x86_64", "uefi_grub"),
        ("boot/EFI/BOOT/mender_grubenv1/lock", "aarch64", "uboot_uefi_grub"),
        ("boot/grub/mender_grubenv1/lock", "i686", "bios_grub"),
        ("boot/grub/grub-mender-grubenv/mender_grubenv1/lock", "riscv64", "unknown_grub"),
        ("etc/fw_env.config", "armv7l", "uboot"),
        ("etc/other", "armv7l", "unknown"),
    ],
)
def test_the_bootloader_has_menders_name(
    shell: tuple[str, ...], tmp_path: Path, place: str, machine: str, expected: str
) -> None:
    put(tmp_path, {place: ""})

    found = said(shell, "inventory/bootloader-integration", tmp_path, {"OTA_MACHINE": machine})

    assert found == [f"mender_bootloader_integration={expected}"]


@in_each_shell
def test_the_host_says_what_it_is(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/cpuinfo": "processor : 0\nBogoMIPS : 38.40\n",
            "proc/device-tree/model": "Raspberry Pi 3\0",
            "proc/version": "Linux version 6.1\n",
            "proc/meminfo": "MemTotal:         948120 kB\nMemFree: 1 kB\n",
            "proc/sys/kernel/hostname": "board\n",
        },
    )
    wanted = ["kernel=Linux version 6.1", "mem_total_kB=948120", "hostname=board"]

    assert said(shell, "inventory/hostinfo", tmp_path) == ["cpu_model=Raspberry Pi 3", *wanted]

    put(tmp_path, {"proc/cpuinfo": "model name\t: Fast 9\nmodel name\t: Fast 9\n"})
    assert said(shell, "inventory/hostinfo", tmp_path) == ["cpu_model=Fast 9", *wanted]


@in_each_shell
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"etc/os-release": 'NAME="A"\nPRETTY_NAME="A Linux 1 \'x\'"\n'}, "A Linux 1 'x'"),
        ({"usr/lib/os-release": "NAME=A\nVERSION='1 (b)'\n"}, "A 1 (b)"),
        ({"etc/os-release": "NAME=A\n", "etc/issue": "B 2 \\n\n"}, "B 2 \\n"),
        ({"etc/os-release": 'PRETTY_NAME="$(touch /tmp/never)"\n'}, "$(touch /tmp/never)"),
        ({}, "unknown"),
    ],
)
def test_the_system_has_a_name(
    shell: tuple[str, ...], tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    put(tmp_path, files)

    found = said(shell, "inventory/os", tmp_path)

    assert found == [f"os={expected}"]


@in_each_shell
def test_the_root_filesystem_is_the_one_on_top(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path, {"proc/mounts": "rootfs / rootfs rw 0 0\n/dev/a / ext4 ro 0 0\nx /y vfat r 0\n"})

    assert said(shell, "inventory/rootfs-type", tmp_path) == ["rootfs_type=ext4"]


@in_each_shell
def test_update_modules_are_listed_once(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert said(shell, "inventory/update-modules", tmp_path) == ["update_modules="]

    names = ("ota/modules/v3/deb", "ota/modules/v3/notes", "mender/modules/v3/deb")
    put(tmp_path, {f"usr/share/{name}": "#!/bin/sh\n" for name in (*names, names[2] + "x")})
    for name in (*names, names[2] + "x"):
        (tmp_path / "usr/share" / name).chmod(0o644 if name.endswith("notes") else 0o755)

    assert said(shell, "inventory/update-modules", tmp_path) == [
        "update_modules=deb",
        "update_modules=debx",
    ]


@in_each_shell
def test_network_interfaces_have_addresses(shell: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path, card("lo", 1) | card("none7", 3) | card("docker0", 4) | card("veth1", 5))

    found = said(shell, "inventory/network", tmp_path)

    assert found == ["mac_none7=00:00:00:00:00:03", "network_interfaces=none7"]
    with_all = said(shell, "inventory/network", tmp_path, {"INCLUDE_DOCKER_INTERFACES": "true"})
    assert len(with_all) == 6


@in_each_shell
def test_free_space_is_that_of_data(shell: tuple[str, ...], tmp_path: Path) -> None:
    found = dict(
        line.split("=")
        for line in said(shell, "inventory/free-space", tmp_path, {"OTA_DATA": str(tmp_path)})
    )

    assert "ota_data_state" not in found  # nobody says it here
    assert 0 <= int(found["ota_data_free_kB"]) < int(found["ota_data_total_kB"])
    assert said(shell, "inventory/free-space", tmp_path, {"OTA_DATA": "/none"}) == []


@in_each_shell
def test_the_state_of_data_is_what_the_image_says(shell: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("state=read-only\nreason=is mounted read-only: why\n")

    environment = {"OTA_DATA": str(tmp_path), "OTA_RUN": str(tmp_path)}
    lines = said(shell, "inventory/free-space", tmp_path, environment)

    assert lines[0] == "ota_data_state=read-only"


@in_each_shell
@requires_program("fw_printenv", package="libubootenv-tool")
@pytest.mark.parametrize(
    ("canary", "health"),
    [
        ({"mender_check_saveenv_canary": "1", "mender_saveenv_canary": "1"}, "ok"),
        ({"mender_check_saveenv_canary": "1"}, "stranded"),
        ({}, "unproven"),
    ],
)
def test_the_bootloaders_state_is_read_from_its_environment(
    shell: tuple[str, ...], tmp_path: Path, canary: dict[str, str], health: str
) -> None:
    variables = {"mender_boot_part": "3", "upgrade_available": "1", "bootcount": "0", **canary}
    disk = tmp_path / "disk"
    disk.write_bytes(encode(variables, SIZE, flag=1) + encode(variables, SIZE, flag=2))
    put(tmp_path, {"etc/fw_env.config": f"{disk} 0 {SIZE:#x}\n{disk} {SIZE:#x} {SIZE:#x}\n"})

    found = said(shell, "inventory/boot-state", tmp_path)

    assert found == [
        f"ota_environment={health}",
        "ota_boot_partition=3",
        "ota_trial=yes",
        "ota_bootcount=0",
    ]


@in_each_shell
@requires_program("fw_printenv", package="libubootenv-tool")
def test_an_environment_that_cannot_be_read_is_named(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    assert said(shell, "inventory/boot-state", tmp_path) == ["ota_environment=none"]

    disk = tmp_path / "disk"
    disk.write_bytes(b"\xff" * SIZE * 2)
    put(tmp_path, {"etc/fw_env.config": f"{disk} 0 {SIZE:#x}\n{disk} {SIZE:#x} {SIZE:#x}\n"})

    (found,) = said(shell, "inventory/boot-state", tmp_path)
    assert found in ("ota_environment=unreadable", "ota_environment=damaged")


@in_each_shell
@pytest.mark.parametrize(
    ("arguments", "logic"),
    [
        ("root=/dev/mmcblk0p2 ota.logic=1 panic=10", ["ota_boot_logic=1"]),
        ("root=/dev/mmcblk0p2 ota.logic= panic=10", ["ota_boot_logic=none"]),
        ("root=/dev/mmcblk0p2 ota.logic=1 ota.logic=3", ["ota_boot_logic=3"]),
        ("root=/dev/mmcblk0p2 * $(id)", []),
    ],
)
def test_which_bootloader_started_the_device_is_told(
    shell: tuple[str, ...], tmp_path: Path, arguments: str, logic: list[str]
) -> None:
    put(tmp_path, {"proc/cmdline": f"{arguments}\n"})
    assert said(shell, "inventory/bootloader-version", tmp_path) == logic

    put(tmp_path, {"proc/device-tree/chosen/u-boot,version": "2023.01\0"})
    found = said(shell, "inventory/bootloader-version", tmp_path)
    assert found == ["ota_bootloader_version=U-Boot 2023.01", *logic]


def test_all_of_them_run_on_this_machine() -> None:
    found = inventory([SHARE / "inventory"])

    assert {"kernel", "hostname", "mem_total_kB", "os", "rootfs_type", "update_modules"} <= set(
        found
    )
    assert {"ota_environment", "mender_bootloader_integration"} <= set(found)


def test_the_agent_takes_the_identity_from_its_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, card("eth0", 2))
    monkeypatch.setenv("OTA_ROOT", str(tmp_path))

    assert identity([SHARE / "identity"]) == '{"mac":"00:00:00:00:00:02"}'


def test_every_one_can_be_executed() -> None:
    programs = [each for each in SHARE.glob("i*/*") if each.parent.name != "init.d"]

    assert len(programs) == 10
    assert [each.name for each in programs if not each.stat().st_mode & 0o111] == []
