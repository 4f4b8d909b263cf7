# SPDX-License-Identifier: Apache-2.0
"""Hazards of who gets in, whose updates are installed, and what devices must not share."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ota_artifact.image import small_files
from ota_artifact.run import run
from ota_board.board import Board
from ota_image.cli.main import main
from ota_image.doctor.examine import diagnose, examine
from tests.conftest import requires_program
from tests.golden.keys import EcKey
from tests.unit.image.disk.small import small_board
from tests.unit.image.doctor.good import image, u_boot
from tests.unit.image.doctor.test_disk_hazards import DATA, dd

pytestmark = [
    pytest.mark.boot,  # each makes an image
    requires_program("sfdisk", package="fdisk"),
    requires_program("mkfs.vfat", package="dosfstools"),
    requires_program("mcopy", package="mtools"),
]
PRIVATE = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
DER = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
)
ID = b"0123456789abcdef0123456789abcdef\n"
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nbin:x:2:2::/bin:/usr/sbin/nologin\n"
KEYS = b'[keys]\nkeys = ["/etc/ota/keys/a.pem"]\n'
PUBLIC = EcKey(7).public.pem.encode()


def found(folder: Path, name: str, changes: dict[str, bytes | None]) -> set[tuple[str, str]]:
    board = small_board(folder, name)
    return {(each.hazard, each.severity) for each in examine(image(folder, board, changes), board)}


@pytest.mark.parametrize(
    ("changes", "hazard"),
    [
        ({"etc/passwd": PASSWD, "etc/shadow": b"root:::0:99999:7:::\nbin:::\n"}, "open-login"),
        ({"etc/passwd": b"root::0:0:root:/root:/bin/sh\n"}, "open-login"),
        ({"etc/inittab": b"::sysinit:/etc/rc\n::askfirst:-/bin/sh\n"}, "open-login"),
        (
            {"etc/systemd/system/getty@tty1.service.d/a.conf": b"ExecStart=-agetty -a root %I\n"},
            "open-login",
        ),
        ({"etc/inittab": b"tty1::respawn:/bin/busybox sh\n"}, "open-login"),
        ({"etc/inittab": b"tty1::respawn:/usr/bin/setsid cttyhack /bin/sh -l\n"}, "open-login"),
        ({"etc/inittab": b"S0:2345:respawn:/sbin/getty -n -l /bin/sh 115200 tty1\n"}, "open-login"),
        (
            {"usr/lib/systemd/system/getty@.service": b"ExecStart=-agetty -n -l /bin/bash\n"},
            "open-login",
        ),
        (
            {"lib/systemd/system/serial-getty@.service.d/a.conf": b"ExecStart=agetty -a root -\n"},
            "open-login",
        ),
        (
            {"etc/systemd/system/a.service": b"ExecStart=-/bin/bash\nStandardInput=tty\n"},
            "open-login",
        ),
        ({"etc/systemd/system/multi-user.target.wants/debug-shell.service": b"a"}, "open-login"),
        (
            {"etc/systemd/system/a.service.d/a.conf": b"Environment=SYSTEMD_SULOGIN_FORCE=1\n"},
            "open-login",
        ),
        ({"etc/pam.d/login": b"auth sufficient pam_permit.so\n"}, "open-login"),
        (
            {"etc/inetd.conf": b"telnet stream tcp nowait root /sbin/telnetd telnetd -l /bin/sh\n"},
            "open-login",
        ),
        ({"etc/ota/agent.toml": b'[server]\nurls = ["https://a"]\n'}, "no-verification-key"),
        ({"usr/bin/mender-update": b"ELF"}, "no-verification-key"),
        (
            {"etc/mender/mender.conf": b"[]", "usr/bin/mender-update": b"ELF"},
            "no-verification-key",
        ),
        (
            {"etc/mender/mender.conf": b"[" * 9000, "usr/bin/mender-update": b"ELF"},
            "no-verification-key",
        ),
    ],
)
def test_a_way_in_is_an_error_on_hardware_and_a_warning_in_qemu(
    tmp_path: Path, changes: dict[str, bytes | None], hazard: str
) -> None:
    (tmp_path / "hardware").mkdir()
    (tmp_path / "qemu").mkdir()

    assert found(tmp_path / "hardware", "raspberrypi3", changes) == {(hazard, "error")}
    assert found(tmp_path / "qemu", "qemu-arm64", changes) == {(hazard, "warning")}


def test_warnings_alone_end_with_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = image(tmp_path, board, {"etc/ota/agent.toml": b""})

    code = main(["doctor", str(path), "--boards", str(tmp_path / "boards"), "--board", board.name])

    assert code == 0
    assert "warning: no-verification-key: slot A: /etc/ota/agent.toml" in capsys.readouterr().out
    assert main(["doctor", str(path)]) == 2  # it is not known to be a board of QEMU


@pytest.mark.parametrize(
    ("changes", "hazards"),
    [
        ({"etc/ota/agent.toml": KEYS, "etc/ota/keys/a.pem": PUBLIC}, set()),
        (
            {"etc/mender/mender.conf": b'{"ArtifactVerifyKeys": ["/etc/ota/keys/a.pem"]}'}
            | {"usr/bin/mender-update": b"ELF", "etc/ota/keys/a.pem": PUBLIC},
            set(),
        ),
        ({"etc/ota/agent.toml": KEYS}, {("verification-key-unusable", "error")}),
        (
            {"etc/ota/agent.toml": KEYS, "etc/ota/keys/a.pem": b"hello\n"},
            {("verification-key-unusable", "error")},
        ),
        ({"etc/ota/agent.toml": b"[keys\n"}, {("agent-toml-damaged", "error")}),
        (
            {"etc/passwd": PASSWD, "etc/shadow": b"root:$6$a$b:0:0:99999:7:::\n"},
            {("shared-password", "warning")},
        ),
        ({"etc/passwd": PASSWD, "etc/shadow": b"root:*:0:0:99999:7:::\n"}, set()),
        ({"etc/passwd": PASSWD, "etc/shadow": b"root:!$6$a$b:0:0:99999:7:::\n"}, set()),
        ({"etc/inittab": b"::respawn:/sbin/getty -L ttyS0 115200 vt100\n#::x:/bin/sh\n"}, set()),
        ({"etc/inittab": b"::sysinit:/bin/sh /etc/rc\n::respawn:/sbin/getty 1 tty1 sh\n"}, set()),
        (
            {"etc/pam.d/common-auth": b"auth requisite pam_deny.so\nauth required pam_permit.so\n"},
            set(),
        ),
        ({"etc/systemd/system/a.service": b"[Service]\nExecStart=/bin/sh -c 'exec a'\n"}, set()),
        (
            {"etc/ota/agent.toml": KEYS.replace(b'.pem"', b'.pem, expires = 2020-01-01"')}
            | {"etc/ota/keys/a.pem": PUBLIC},
            {("verification-key-unusable", "error")},
        ),
        (
            {"etc/ota/agent.toml": KEYS.replace(b'.pem"', b'.pem, expires = soon"')}
            | {"etc/ota/keys/a.pem": PUBLIC},
            {("verification-key-unusable", "error")},
        ),
        (
            {"etc/ota/agent.toml": b'[keys]\nkeys = "/etc/ota/keys/a.pem"\n'},
            {("agent-toml-damaged", "error")},
        ),
        (
            {"etc/ota/agent.toml": b'keys = ["/etc/ota/keys/a.pem"]\n'},
            {("agent-toml-damaged", "error")},
        ),
        (
            {
                "etc/ota/agent.toml": KEYS + b"forbid_downgrade = false\n",
                "etc/ota/keys/a.pem": PUBLIC,
            },
            {("downgrades-allowed", "warning")},
        ),
    ],
)
def test_what_a_slot_says_of_keys_and_passwords(
    tmp_path: Path, changes: dict[str, bytes | None], hazards: set[tuple[str, str]]
) -> None:
    assert found(tmp_path, "raspberrypi3", changes) == hazards


@pytest.mark.parametrize(
    ("path", "data", "hazard"),
    [
        ("var/lib/ota/key.pem", PRIVATE, "private-key-in-image"),
        ("var/lib/mender/mender-agent.pem", PRIVATE, "private-key-in-image"),
        ("etc/ssh/ssh_host_rsa_key", PRIVATE, "private-key-in-image"),
        ("etc/product/harmless.txt", PRIVATE, "private-key-in-image"),
        ("root/.ssh/id", PRIVATE, "private-key-in-image"),
        ("boot/keys/a", PRIVATE, "private-key-in-image"),
        ("a.pem", PRIVATE, "private-key-in-image"),
        ("mnt/a", DER, "private-key-in-image"),
        ("usr/share/acme/a.bin", b"#!/bin/sh\n" + PRIVATE, "private-key-in-image"),
        ("usr/bin/setup", PRIVATE, "private-key-in-image"),
        ("etc/machine-id", ID, "machine-id-in-image"),
        ("etc/machine-id", ID.upper(), "machine-id-in-image"),
        ("var/lib/systemd/random-seed", b"\x01\xfe" * 16, "random-seed-in-image"),
        ("var/lib/seedrng/seed.credit", b"\x01\xfe" * 16, "random-seed-in-image"),
        ("var/lib/systemd/credential.secret", b"a" * 512, "private-key-in-image"),
        ("var/lib/NetworkManager/secret_key", b"nm-v2:a", "private-key-in-image"),
        ("var/lib/dbus/machine-id", ID, "machine-id-in-image"),
        ("var/lib/product/serial", ID, "machine-id-in-image"),
        ("var/lib/ota/state.db", b"SQLite format 3\0", "agent-state-in-image"),
        (
            "srv/a",
            b"SQLite format 3\0CREATE TABLE kept (name TEXT PRIMARY KEY",
            "agent-state-in-image",
        ),
        ("var/lib/mender/device_type", b"device_type=lab\n", "device-type-of-another-board"),
        ("etc/ota/board", b"OTA_DEVICE_TYPE='lab'\n", "device-type-of-another-board"),
    ],
)
def test_what_is_one_devices_own_is_found_in_a_slot(
    tmp_path: Path, path: str, data: bytes, hazard: str
) -> None:
    assert found(tmp_path, "qemu-arm64", {path: data}) == {(hazard, "error")}


def test_a_slot_with_too_many_files_is_not_passed_over_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_files, "_MOST", 5)
    board = small_board(tmp_path, "qemu-arm64")

    notes = diagnose(image(tmp_path, board), board).notes

    assert any("A: logins, and what is one device's own: " in each for each in notes)


def test_among_the_programs_of_packages_only_a_key_is_looked_for(tmp_path: Path) -> None:
    """A program has settings, and shells, in its text."""
    changes: dict[str, bytes | None] = {
        "usr/lib/acme/key": PRIVATE,
        "usr/lib/acme/a.py": b"device_type = found\nurl = 'http://user:password@example.com'\n",
        "usr/share/acme/example": b"ExecStart=agetty -a root\n",
        "usr/share/acme/id": ID,
        "usr/share/doc/acme/key": PRIVATE,
    }
    board = small_board(tmp_path, "qemu-arm64")

    [finding] = examine(image(tmp_path, board, changes), board)

    assert finding.place == "slot A: /usr/lib/acme/key"


def test_what_is_one_devices_own_is_found_on_data_of_a_factory_image(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    path = with_data(tmp_path, board)

    places = {each.place.partition(": ")[2]: each.hazard for each in examine(path, board)}

    assert places == {
        "/ota/key.pem": "private-key-in-image",
        "/etc/machine-id": "machine-id-in-image",
        "/mender/device_type": "device-type-of-another-board",
    }
    # A device that has run has all of that.
    assert {each.hazard for each in examine(path, board, is_booted=True)} == {"canary-missing"}


@pytest.mark.parametrize(
    ("path", "data", "hazard"),
    [
        ("/keys/TLS.KEY", PRIVATE, "private-key-in-image"),
        ("/keys/TLS.DER", DER, "private-key-in-image"),
        ("/machine-id", ID, "machine-id-in-image"),
        ("/loader/random-seed", b"\x01\xfe" * 16, "random-seed-in-image"),
        ("/device_type", b"device_type=lab\n", "device-type-of-another-board"),
    ],
)
def test_what_is_one_devices_own_is_found_on_the_boot_partition(
    tmp_path: Path, path: str, data: bytes, hazard: str
) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    made = image(tmp_path, board, boot={path: data})

    [finding] = examine(made, board)

    assert finding.hazard == hazard
    assert finding.place == f"partition boot: {path}"


def test_a_password_in_an_image_is_a_warning(tmp_path: Path) -> None:
    changes: dict[str, bytes | None] = {
        "etc/wpa_supplicant.conf": b'network={\n psk="hunter2222"\n}\n'
    }

    assert found(tmp_path, "raspberrypi3", changes) == {("secret-in-image", "warning")}


def test_without_a_board_device_types_are_compared_with_that_of_the_slot(tmp_path: Path) -> None:
    board = small_board(tmp_path, "qemu-arm64")
    changes = {
        "etc/ota/board": b"OTA_DEVICE_TYPE='mine'\n",
        "var/lib/ota/device_type": b"device_type=lab\n",
        "var/lib/mender/device_type": b"device_type=mine\n",
    }

    [finding] = examine(image(tmp_path, board, changes))

    assert finding.hazard == "device-type-of-another-board"
    assert finding.place == "slot A: /var/lib/ota/device_type"


@pytest.mark.parametrize(
    "argument",
    ["systemd.debug_shell", "init=/bin/sh", "rd.break", "systemd.machine_id=" + "0f" * 16],
)
def test_an_argument_of_the_kernel_that_opens_a_shell_or_names_a_machine_is_found(
    tmp_path: Path, argument: str
) -> None:
    board = small_board(tmp_path, "raspberrypi3")
    lines = ["label slot", "kernel /boot/vmlinuz", "initrd /boot/initrd.img", "fdtdir /boot/dtbs"]
    lines.append(f"append root=${{mender_kernel_root}} rootwait ro panic=10 {argument}")
    made = image(tmp_path, board, {"boot/extlinux/extlinux.conf": "\n".join(lines).encode()})

    hazards = {each.hazard for each in examine(made, board)}

    wanted = "machine-id-in-image" if "machine_id" in argument else "open-login"
    assert hazards == {wanted}


def test_keys_on_data_count_as_the_agent_counts_them(tmp_path: Path) -> None:
    board = small_board(tmp_path, "raspberrypi3")
    path = image(tmp_path, board, {"etc/ota/agent.toml": KEYS, "etc/ota/keys/a.pem": PUBLIC})

    put_data(path, board, tmp_path, {"ota/agent.toml": b"[keys]\nkeys = []\n"})

    assert examine(path, board) == []  # the agent passes over what would be less strict


def with_data(folder: Path, board: Board) -> Path:
    """An image with files on /data."""
    path = image(folder, board)
    assert board.layout.partition("data").offset == DATA
    files = {"ota/key.pem": PRIVATE, "etc/machine-id": ID, "mender/device_type": b"device_type=a\n"}
    put_data(path, board, folder, files)
    return path


def put_data(path: Path, board: Board, folder: Path, files: dict[str, bytes]) -> None:
    """Replace the data partition of an image by one with these files."""
    area = board.layout.partition("data")
    for name, data in files.items():
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).write_bytes(data)
    data_image = folder / "data.ext4"
    argv = ("mke2fs", "-q", "-t", "ext4", "-d", folder / "data", data_image)
    run((*argv, str(area.size >> 10)), timeout=60)
    dd(path, area.offset, data_image.read_bytes())


def test_an_open_console_of_u_boot_is_a_warning_that_a_board_can_end(tmp_path: Path) -> None:
    board = small_board(tmp_path, "beaglebone-black")
    path = image(tmp_path, board)
    prompt = b"\0Autoboot in %d seconds\n\0"
    dd(path, 0x60000, u_boot(board) + prompt)

    [finding] = examine(path, board)

    assert (finding.hazard, finding.severity) == ("bootloader-console-open", "warning")
    assert "bootdelay=-2 in the board's u-boot.env" in finding.remedy
    closed = u_boot(board).replace(b"\0bootcmd=", b"\0bootdelay=-2\0bootcmd=", 1)
    dd(path, 0x60000, closed + prompt)
    assert examine(path, board) == []
