# SPDX-License-Identifier: Apache-2.0
"""Disks whose tables sfdisk writes, and what the rule says of them."""

from pathlib import Path

import pytest

from ota_artifact.errors import RolesError
from ota_artifact.image.partitions import read_table
from ota_artifact.image.roles import Roles, find_roles
from tests.unit.artifact.image.conftest import MIB, Tool


def rows(*entries: str) -> str:
    """Partitions of 4 MiB each; an entry says type and name, as sfdisk takes them."""
    return "\n".join(f"size=8192, {entry}".rstrip(", ") for entry in entries) + "\n"


def disk_of(tmp_path: Path, tool: Tool, script: str, size: int = 64) -> Path:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(size * MIB)
    tool("sfdisk", "-q", "--no-reread", "--no-tell-kernel", disk, stdin=script)
    return disk


def roles_of(disk: Path) -> Roles:
    return find_roles(disk, read_table(disk))


def numbers(roles: Roles) -> tuple[int, int, int, int]:
    return roles.boot.number, roles.a.number, roles.b.number, roles.data.number


def refusal(disk: Path) -> str:
    with pytest.raises(RolesError) as found:
        roles_of(disk)
    return str(found.value)
