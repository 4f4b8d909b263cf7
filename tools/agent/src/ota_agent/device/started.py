# SPDX-License-Identifier: Apache-2.0
"""Which bootloader started this boot."""

from pathlib import Path

from ota_artifact.boot_logic import started_by

_PROC = Path("/proc")


def bootloader(proc: Path = _PROC) -> str:
    """How a sentence continues that begins with ``The bootloader``; empty if nothing is known."""
    version = _text(proc / "device-tree" / "chosen" / "u-boot,version").rstrip("\0")
    logic = started_by(_text(proc / "cmdline"))
    is_u_boot = f"is U-Boot {version}" if version else ""
    match logic:
        case None:
            return is_u_boot
        case 0:
            return (
                f"{is_u_boot or 'is another one'}, without this kit's boot logic or with an old one"
            )
        case _:
            return f"{is_u_boot}, with boot logic {logic}" if version else f"has boot logic {logic}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
