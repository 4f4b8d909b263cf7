# SPDX-License-Identifier: Apache-2.0
"""Addresses of devices, and texts that ssh might read as something else."""

from pathlib import Path

import pytest

from ota_artifact.errors import ArtifactError
from ota_artifact.snapshot import Address, parse_address, take_snapshot


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://board", Address("board")),
        ("ssh://root@board.local", Address("board.local", "root")),
        ("ssh://root@192.0.2.7:8822/", Address("192.0.2.7", "root", "8822")),
        ("ssh://[2001:db8::1]:22", Address("2001:db8::1", "", "22")),
        ("ssh://pi@[fe80::1%eth0]", Address("fe80::1%eth0", "pi")),
    ],
)
def test_user_and_port_are_optional_and_ipv6_has_brackets(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "board",
        "ssh://",
        "ssh://-oProxyCommand=reboot",
        "ssh://-l@board",
        "ssh://root@-board",
        "ssh://root@",
        "ssh://@board",
        "ssh://root:secret@board",
        "ssh://board:",
        "ssh://board:0",
        "ssh://board:65536",
        "ssh://board:22 -v",
        "ssh://board/etc",
        "ssh://board;reboot",
        "ssh://$(reboot)@board",
        "ssh://board\n",
        "ssh://2001:db8::1",
        "ssh://[board]",
        "ssh://[-v]",
        "ssh://bo\u0430rd",
    ],
)
def test_what_is_not_an_address_is_refused_before_ssh_sees_it(text: str) -> None:
    with pytest.raises(ArtifactError, match=r"write ssh://\[user@\]host\[:port\]"):
        parse_address(text)


def test_a_hostile_address_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        take_snapshot("ssh://-v", tmp_path / "image")

    assert not (tmp_path / "image").exists()
