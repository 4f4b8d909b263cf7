# SPDX-License-Identifier: Apache-2.0
"""What the scripts in a slot need to know about the board: /etc/ota/board."""

import shlex
from collections.abc import Mapping

from ota_board.board import SLOTS, Board


def device_settings(board: Board) -> dict[str, str]:
    """The settings, by the name of the shell variable."""
    layout, is_armed = board.layout, board.watchdog.armed_by != "nobody"
    return {
        "OTA_DEVICE_TYPE": board.device_types[0],
        "OTA_DISK": layout.device,
        **{f"OTA_SLOT_{slot}": layout.node(slot) for slot in SLOTS},
        "OTA_DATA": layout.node("data"),
        "OTA_DATA_NUMBER": str(layout.partition("data").number),
        "OTA_EXTENDED": "".join(str(a.number) for a in layout.areas if a.kind == "extended"),
        "OTA_CONSOLE": board.console.device,
        "OTA_SPEED": str(board.console.speed),
        "OTA_WATCHDOG": board.watchdog.driver if is_armed else "",
        "OTA_WATCHDOG_TIMEOUT": str(board.watchdog.timeout),
    }


def shell_text(values: Mapping[str, str]) -> str:
    """Settings as a shell reads them, one per line."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
