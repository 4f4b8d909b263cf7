# SPDX-License-Identifier: Apache-2.0
"""What the scripts in a slot need to know about the board: /etc/ota/board."""

import shlex
from collections.abc import Mapping

from ota_board.board import SLOTS, Board
from ota_board.layout import second_home

WATCHDOG, WATCHDOG_TIMEOUT = "OTA_WATCHDOG", "OTA_WATCHDOG_TIMEOUT"
"""Its driver, empty if nothing arms it from Linux; how long it waits [s]."""


def device_settings(board: Board) -> dict[str, str]:
    """The settings, by the name of the shell variable."""
    layout, is_armed = board.layout, board.watchdog.armed_by != "nobody"
    return {
        "OTA_DEVICE_TYPE": board.device_types[0],
        "OTA_DISK": layout.device,
        **{f"OTA_SLOT_{slot}": layout.node(slot) for slot in SLOTS},
        "OTA_DATA": layout.node("data"),
        "OTA_DATA_NUMBER": str(layout.partition("data").number),
        "OTA_SECOND_HOME": " ".join(str(at >> 10) for at in second_home(layout)),  # [KiB]
        "OTA_CONSOLE": board.console.device,
        "OTA_SPEED": str(board.console.speed),
        WATCHDOG: board.watchdog.driver if is_armed else "",
        WATCHDOG_TIMEOUT: str(board.watchdog.timeout),
    }


def shell_text(values: Mapping[str, str]) -> str:
    """Settings as a shell reads them, one per line."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
