# SPDX-License-Identifier: Apache-2.0
"""What U-Boot is built with for a board: a Kconfig fragment, and its default environment as text.

Every symbol is written in all the spellings it has had: a configuration knows one of them, and
drops the others; `missing` says what did not come through.

Source: U-Boot, release notes of v2025.10 (ENV_REDUNDANT, ENV_MMC_…) and v2026.01 (…_TEXT_FILE).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ota_artifact.layout import node_base
from ota_board.board import SLOTS, Board
from ota_board.places import data_folder

SPELLINGS = (
    ("ENV_REDUNDANT", "SYS_REDUNDAND_ENVIRONMENT"),
    ("ENV_MMC_DEVICE_INDEX", "SYS_MMC_ENV_DEV"),
    ("ENV_MMC_EMMC_HW_PARTITION", "SYS_MMC_ENV_PART"),
    ("ENV_USE_DEFAULT_ENV_TEXT_FILE", "USE_DEFAULT_ENV_FILE"),
    ("ENV_DEFAULT_ENV_TEXT_FILE", "DEFAULT_ENV_FILE"),
)
"""U-Boot's symbols that were renamed: the new name, then the old one."""

_ELSEWHERE = ("ENV_IS_NOWHERE", "ENV_IS_IN_FAT", "ENV_IS_IN_FLASH", "ENV_IS_IN_EXT4")
_STATE = re.compile(r"^# --- state ---$(.*)^# --- state ends ---$", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"^([^#\s=]+)=", re.MULTILINE)
_SYMBOL = re.compile(r"^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)$", re.MULTILINE)


def fragment(board: Board, environment: Path, folder: Path | None = None) -> str:
    """The Kconfig fragment of a board: what all need, its places, and what is its own.

    Args:
        environment: where the build finds the text of `default_environment`.
        folder: of the board, whose ``u-boot.cfg`` is its own part, if any.

    Raises:
        OSError: a part cannot be read.
    """
    first, second = board.layout.environment
    values = {
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
    lines = [(data_folder("bootloader") / "u-boot" / "ota.cfg").read_text("utf-8").rstrip(), ""]
    for name, value in values.items():
        lines += [f"CONFIG_{each}={value}" for each in (name, old.get(name)) if each]
    lines += [f"# CONFIG_{name} is not set" for name in _ELSEWHERE]
    if folder and (folder / "u-boot.cfg").exists():
        lines += ["", (folder / "u-boot.cfg").read_text("utf-8").rstrip()]
    return "\n".join(lines) + "\n"


def needed(board: Board, folder: Path | None = None) -> str:
    """The part of the fragment that any build must have, wherever its environment's text is.

    Raises:
        OSError: a part cannot be read.
    """
    lines = fragment(board, Path("u-boot.env"), folder).splitlines()
    return "\n".join(line for line in lines if not line.endswith('="u-boot.env"'))


def missing(fragment: str, config: str) -> list[str]:
    """The lines of a fragment that did not come through into the final ``.config``.

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
    """The default environment as text: the boot logic, the board's own part, and ota_vars.

    Args:
        folder: of the board, whose ``u-boot.env`` is its own part, if any.

    Raises:
        OSError: a part cannot be read.
    """
    logic = (data_folder("bootloader") / "u-boot" / "ota.env").read_text("utf-8")
    settings = {
        **{name: f"{address:#x}" for name, address in board.bootloader.addresses.items()},
        "ota_disk": f"mmc {_mmc_index(board)}",
        "ota_linux": node_base(board.storage.device),
        **{f"ota_{slot.lower()}": str(board.layout.partition(slot).number) for slot in SLOTS},
    }
    parts = [logic.rstrip(), ""]
    if folder and (folder / "u-boot.env").exists():
        own = (folder / "u-boot.env").read_text("utf-8")
        logic = _without(logic, _VARIABLE.findall(own))
        parts = [logic.rstrip(), "", own.rstrip()]
    parts += [f"{name}={value}" for name, value in settings.items()]
    text = "\n".join(parts) + "\n"
    names = [name for name in _VARIABLE.findall(text) if name not in state(text)]
    return f"{text}ota_vars={' '.join(('ota_vars', *names))}\n"


def state(text: str) -> dict[str, str]:
    """The state of a default environment: what an image has from the factory on."""
    block = _STATE.search(text)
    lines = block[1].split() if block else []
    return dict(line.split("=", 1) for line in lines)


def factory_environment(text: str) -> dict[str, str]:
    """All variables of a default environment, as U-Boot has them compiled in."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _without(text: str, names: list[str]) -> str:
    """A default environment without some variables, whose values may go over many lines."""
    for name in names:
        text = re.sub(rf"^{re.escape(name)}=(?:.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    return text


def _symbols(config: str) -> Mapping[str, str | None]:
    return {
        match[1] or match[3]: match[2].strip('"') if match[1] else None
        for match in _SYMBOL.finditer(config)
    }


def _mmc_index(board: Board) -> int:
    if board.bootloader.mmc is not None:
        return board.bootloader.mmc
    return int(board.storage.device.removeprefix("/dev/mmcblk"))
