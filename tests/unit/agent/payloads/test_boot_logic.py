# SPDX-License-Identifier: Apache-2.0
"""A slot that needs another bootloader than the one that started this device."""

from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads.boot_logic import require_boot_logic
from ota_artifact.boot_logic import with_logic


@pytest.fixture
def cmdline(tmp_path: Path) -> Path:
    """What the kernel was started with."""
    path = tmp_path / "cmdline"
    path.write_text("root=/dev/mmcblk0p2 ota.logic=2 ro\n")
    return path


def test_a_newer_boot_logic_is_asked_for_in_vain(cmdline: Path) -> None:
    with pytest.raises(AgentError, match=r"needs boot logic 3, .* has 2; .* write a new image"):
        require_boot_logic(with_logic(b"", 3), cmdline)


@pytest.mark.parametrize("meta_data", [with_logic(b"", 2), with_logic(b"", 1), b"", b"{"])
def test_what_the_bootloader_has_and_what_asks_for_nothing_is_taken(
    cmdline: Path, meta_data: bytes
) -> None:
    require_boot_logic(meta_data, cmdline)


@pytest.mark.parametrize("arguments", ["root=/dev/mmcblk0p2 ota.logic=", "root=/dev/sda1", None])
def test_a_bootloader_that_does_not_say_has_none(cmdline: Path, arguments: str | None) -> None:
    cmdline.unlink() if arguments is None else cmdline.write_text(arguments)

    with pytest.raises(AgentError, match=r"needs boot logic 1, .* does not say which it has"):
        require_boot_logic(with_logic(b"", 1), cmdline)

    require_boot_logic(b"", cmdline)
