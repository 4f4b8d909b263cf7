# SPDX-License-Identifier: Apache-2.0
"""What U-Boot is built with for a board: a Kconfig fragment, and the default environment as text.

A symbol that was renamed is written in all its spellings. A version of U-Boot knows one of them and
drops the others; `missing` finds what the final configuration lacks.

Source: U-Boot, release notes of v2025.10 (ENV_REDUNDANT, ENV_MMC_…) and v2026.01 (…_TEXT_FILE).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ota_artifact.boot_logic import CURRENT
from ota_artifact.contract import GOOD, LOST
from ota_artifact.layout import node_base
from ota_artifact.own_text import read_text
from ota_board.board import SLOTS, Board
from ota_board.places import data_folder
from ota_board.template import Lines, fill_in

ENVIRONMENT = "u-boot.env"
"""The file with the text of the default environment; a board may have one with differences."""

SPELLINGS = (
    ("ENV_REDUNDANT", "SYS_REDUNDAND_ENVIRONMENT"),
    ("ENV_MMC_DEVICE_INDEX", "SYS_MMC_ENV_DEV"),
    ("ENV_MMC_EMMC_HW_PARTITION", "SYS_MMC_ENV_PART"),
    ("ENV_USE_DEFAULT_ENV_TEXT_FILE", "USE_DEFAULT_ENV_FILE"),
    ("ENV_DEFAULT_ENV_TEXT_FILE", "DEFAULT_ENV_FILE"),
)
"""U-Boot's symbols that were renamed: the new name, then the old one."""

_TEMPLATES = data_folder("bootloader") / "u-boot"
_ELSEWHERE = ("ENV_IS_NOWHERE", "ENV_IS_IN_FAT", "ENV_IS_IN_FLASH", "ENV_IS_IN_EXT4")
_STATE = re.compile(r"^# --- state ---$(.*)^# --- state ends ---$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"^([^#\s=]+)=", re.MULTILINE)
_SYMBOL = re.compile(r"^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)$", re.MULTILINE)


def fragment(board: Board, environment: Path, folder: Path | None = None) -> str:
    """The Kconfig fragment of a board: what every board needs, its offsets, and what it adds.

    Args:
        environment: where the build finds the text of `default_environment`.
        folder: of the board, which may add a ``u-boot.cfg``.

    Raises:
        OSError: a file cannot be read.
    """
    first, second = board.layout.environment
    places = {
        "ENV_IS_IN_MMC": "y",
        "ENV_OFFSET": f"{first.offset:#x}",
        "ENV_OFFSET_REDUND": f"{second.offset:#x}",
        "ENV_SIZE": f"{first.size:#x}",
        "ENV_REDUNDANT": "y",
        "ENV_MMC_DEVICE_INDEX": str(_mmc_index(board)),
        "ENV_MMC_EMMC_HW_PARTITION": "0",
        "ENV_DEFAULT_ENV_TEXT_FILE": f'"{environment}"',
    }
    old = dict(SPELLINGS)
    return fill_in(
        _TEMPLATES / "ota.cfg.j2",
        places=[
            (spelling, value)
            for name, value in places.items()
            for spelling in (name, old.get(name))
            if spelling
        ],
        elsewhere=_ELSEWHERE,
        own=_own_part(folder, "u-boot.cfg"),
    )


def needed(board: Board, folder: Path | None = None) -> str:
    """The part of the fragment that does not depend on where the environment's text is.

    Raises:
        OSError: a file cannot be read.
    """
    lines = fragment(board, Path(ENVIRONMENT), folder).splitlines()
    return "\n".join(line for line in lines if not line.endswith(f'="{ENVIRONMENT}"'))


def missing(fragment: str, config: str) -> list[str]:
    """The lines of a fragment that the final ``.config`` lacks.

    Of a symbol with two spellings, one is enough.
    """
    final = _symbols(config)
    names = {old: new for new, old in SPELLINGS} | dict(SPELLINGS)
    lost = []
    for name, value in _symbols(fragment).items():
        other = names.get(name, name)
        if value not in (final.get(name), final.get(other)):
            lost.append(f"CONFIG_{name}={value or 'n'}, is {final.get(name) or 'n'}")
    return lost


def default_environment(board: Board, folder: Path | None = None) -> str:
    """The default environment as text: the boot logic, what the board adds, and ota_vars.

    Args:
        folder: of the board, which may add a ``u-boot.env``.

    Raises:
        OSError: a file cannot be read.
    """
    return fill_in(
        _TEMPLATES / "ota.env.j2",
        board=board,
        slots=SLOTS,
        mmc=_mmc_index(board),
        linux=node_base(board.storage.device),
        number=CURRENT,
        own=_own_part(folder, ENVIRONMENT),
        without=_without,
        names=_names,
    )


def state(text: str) -> dict[str, str]:
    """The variables of a default environment that are state, as U-Boot has them compiled in."""
    block = _STATE.search(text)
    lines = block[1].split() if block else []
    return dict(line.split("=", 1) for line in lines)


def factory_environment(text: str) -> dict[str, str]:
    """All variables of a default environment, as they leave the factory: slot A is good."""
    variables = compiled_environment(text)
    good = {GOOD["A"]: "1", GOOD["B"]: "0"}
    return {**{name: variables[name] for name in variables if name != LOST}, **good}


def compiled_environment(text: str) -> dict[str, str]:
    """All variables of a default environment, as they are compiled into U-Boot."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _own_part(folder: Path | None, name: str) -> Lines:
    """What a board adds in a file of that name; empty if it has none."""
    path = folder / name if folder else None
    return Lines(read_text(path).rstrip() if path and path.exists() else "")


def _without(logic: str, own: str) -> Lines:
    """The common variables without those that a board sets; a value may have many lines."""
    for name in _VARIABLE.findall(own):
        logic = re.sub(rf"^{re.escape(name)}=(?:.*\\\n)*.*\n", "", logic, flags=re.MULTILINE)
    return Lines(logic.rstrip())


def _names(text: str) -> list[str]:
    """The variables of a default environment that are not state."""
    return [name for name in _VARIABLE.findall(text) if name not in state(text)]


def _symbols(config: str) -> Mapping[str, str | None]:
    return {
        match[1] or match[3]: match[2].strip('"') if match[1] else None
        for match in _SYMBOL.finditer(config)
    }


def _mmc_index(board: Board) -> int:
    if board.bootloader.mmc is not None:
        return board.bootloader.mmc
    return int(board.storage.device.removeprefix("/dev/mmcblk"))
