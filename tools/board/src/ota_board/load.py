# SPDX-License-Identifier: Apache-2.0
"""Reads ``board.yaml`` and checks it; finds boards by name."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from ota_artifact.layout import TableKind
from ota_artifact.size import MIB, format_size
from ota_board.board import (
    Arch,
    Armer,
    Board,
    Bootloader,
    BootloaderKind,
    Console,
    Disk,
    Environment,
    EnvironmentKind,
    Extra,
    Firmware,
    Kernel,
    KernelFormat,
    Network,
    Partitions,
    Qemu,
    Reserved,
    Stopper,
    Storage,
    Watchdog,
    Yocto,
    plan_of,
)
from ota_board.errors import BoardError, LayoutError
from ota_board.fields import Fields, read_fields
from ota_board.places import data_folder

SCHEMA = 1
"""Version of board.yaml."""

_FIELDS = (
    "schema",
    "name",
    "summary",
    "device_types",
    "arch",
    "storage",
    "partitions",
    "bootloader",
    "environment",
    "firmware",
    "kernel",
    "device_trees",
    "console",
    "watchdog",
    "qemu",
    "yocto",
)
BOARD_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What a board may be called; its device type too."""
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}")  # ext4 holds 16 characters
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*(:[a-z0-9-]+)*")  # a variable of BitBake, with overrides
_PORT = re.compile(r"[A-Za-z][A-Za-z0-9]*")  # of a console, without /dev
_DEVICE_TREE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.,+-]*/)*[A-Za-z0-9][A-Za-z0-9_.,+-]*\.dtb")
_PARAMETER = re.compile(r"[a-z0-9_]+=[A-Za-z0-9_.-]+")  # of a kernel's module
_SHORTEST, _LONGEST = 3, 3600  # [s] of a watchdog, which is fed three times in its time
_TAKEN = {"boot", "A", "B", "data"}
_KERNEL_FIELDS = ("package", "format", "drivers", "modules", "left_out")
_WATCHDOG_FIELDS = ("driver", "armed_by", "timeout", "stopped_by", "parameter")


def load_board(path: Path) -> Board:
    """Read and check one board's description.

    Args:
        path: of ``board.yaml``, or of the folder that has it.

    Raises:
        BoardError: the file is not YAML, a field is missing, unknown or wrong, or the parts do
            not fit.
        OSError: the file cannot be read.
    """
    file = path / "board.yaml" if path.is_dir() else path
    fields = read_fields(file, _FIELDS)
    if fields.number("schema") != SCHEMA:
        raise fields.wrong("schema", f"must be {SCHEMA}; a newer one needs a newer ota-board")
    storage = _storage(
        fields.inner("storage", ("size", "device", "table", "alignment", "reserved", "grows"))
    )
    partitions = _partitions(
        fields.inner("partitions", ("start", "boot", "slots", "data", "extra"))
    )
    bootloader = _bootloader(fields.inner("bootloader", ("kind", "defconfig", "addresses", "mmc")))
    environment = _environment(fields.inner("environment", ("kind", "offsets", "size")), bootloader)
    _check_environment(fields, storage, environment)
    try:
        plan_of(storage, partitions, environment)
    except LayoutError as error:
        raise fields.wrong("partitions", str(error)) from error
    return Board(
        name=_matching(fields, "name", BOARD_NAME, "lower-case letters, digits and single dashes"),
        summary=fields.text("summary"),
        device_types=_some(fields, "device_types"),
        arch=fields.choice("arch", get_args(Arch)),
        storage=storage,
        partitions=partitions,
        bootloader=bootloader,
        environment=environment,
        firmware=tuple(_firmware(each) for each in fields.each("firmware", ("from", "to", "at"))),
        kernel=_kernel(fields.inner("kernel", _KERNEL_FIELDS)),
        device_trees=_device_trees(fields),
        console=_console(fields.inner("console", ("device", "speed"))),
        watchdog=_watchdog(fields.inner("watchdog", _WATCHDOG_FIELDS)),
        qemu=_qemu(fields),
        yocto=_yocto(fields),
    )


def board_folders(chosen: str | None = None) -> Iterator[Path]:
    """Where to look for boards: what was chosen, $OTA_BOARDS, ./boards, then the package's."""
    if chosen:
        yield Path(chosen)
    if variable := os.environ.get("OTA_BOARDS"):
        yield from map(Path, variable.split(os.pathsep))
    yield Path("boards")
    yield data_folder("boards")


def find_board(name: str, folders: Sequence[Path]) -> Path:
    """The folder of the board with that name, or the folder that the name is a path to.

    Raises:
        BoardError: there is no such board; the text names those that there are.
    """
    if "/" in name and Path(name).exists():
        return Path(name)
    for folder in folders:
        if (folder / name / "board.yaml").is_file():
            return folder / name
    known = ", ".join(path.name for path in all_boards(folders)) or "none"
    places = ", ".join(str(folder) for folder in folders)
    raise BoardError(f"{name}: no such board in {places}; there are: {known}")


def all_boards(folders: Sequence[Path]) -> list[Path]:
    """The folder of each board, by name; the first one of two with the same name."""
    found: dict[str, Path] = {}
    for folder in folders:
        for file in folder.glob("*/board.yaml"):
            found.setdefault(file.parent.name, file.parent)
    return [found[name] for name in sorted(found)]


def _storage(fields: Fields) -> Storage:
    return Storage(
        size=fields.size("size"),
        device=_matching(fields, "device", re.compile(r"/dev/[a-z0-9]+"), "/dev/mmcblk0 or alike"),
        table=fields.choice("table", get_args(TableKind)),
        alignment=fields.size("alignment", 4 * MIB),
        reserved=tuple(
            Reserved(each.text("name"), each.size("offset"), each.size("size"))
            for each in fields.each("reserved", ("name", "offset", "size"))
        ),
        grows=fields.choice("grows", ("true", "false"), "false") == "true",
    )


def _partitions(fields: Fields) -> Partitions:
    extras: list[Extra] = []
    for each in fields.each("extra", ("label", "size")):
        label = _matching(each, "label", _LABEL, "up to 16 letters, digits, '-' and '_'")
        if label in _TAKEN or label in {extra.label for extra in extras}:
            raise each.wrong("label", f"{label!r} is taken; choose another one")
        extras.append(Extra(label, each.size("size")))
    return Partitions(
        start=fields.size("start", MIB),
        boot=fields.inner("boot", ("size",)).size("size"),
        slot=fields.inner("slots", ("size",)).size("size"),
        data=fields.inner("data", ("size",)).size("size"),
        extra=tuple(extras),
    )


def _bootloader(fields: Fields) -> Bootloader:
    kind = fields.choice("kind", get_args(BootloaderKind))
    if kind == "grub" and any(fields.has(name) for name in ("defconfig", "addresses", "mmc")):
        raise fields.wrong("kind", "GRUB has no defconfig, addresses or mmc; leave them out")
    return Bootloader(
        kind=kind,
        defconfig=fields.text("defconfig") if kind == "u-boot" else "",
        addresses=fields.numbers("addresses"),
        mmc=fields.number("mmc") if fields.has("mmc") else None,
    )


def _environment(fields: Fields, bootloader: Bootloader) -> Environment:
    kind = fields.choice("kind", get_args(EnvironmentKind))
    if (kind == "grub") != (bootloader.kind == "grub"):
        raise fields.wrong("kind", f"{kind!r} does not go with bootloader.kind {bootloader.kind!r}")
    offsets = fields.sizes("offsets")
    if kind == "raw" and len(offsets) != 2:
        raise fields.wrong(
            "offsets", f"has {len(offsets)}; give two, or one power cut loses the environment"
        )
    if kind == "grub" and offsets:
        raise fields.wrong("offsets", "GRUB's environment is in files; leave them out")
    return Environment(kind, offsets, fields.size("size", 1024 if kind == "grub" else None))


def _check_environment(fields: Fields, storage: Storage, environment: Environment) -> None:
    if environment.kind != "raw":
        return
    if not re.fullmatch(r"/dev/mmcblk[0-9]", storage.device):
        raise fields.wrong("environment", f"raw copies need /dev/mmcblkN, not {storage.device}")
    if len({offset // storage.alignment for offset in environment.offsets}) < 2:
        raise fields.wrong(
            "environment",
            f"both copies are in one block of {format_size(storage.alignment)}, which a card can"
            " lose as a whole; move one of them",
        )


def _firmware(fields: Fields) -> Firmware:
    if fields.has("to") == fields.has("at"):
        raise fields.wrong("from", "needs either 'to', a file, or 'at', an offset")
    source = fields.text("from")
    if not re.fullmatch(r"[a-z0-9.+-]+(/[\w.+-]+)+", source) or ".." in source:
        raise fields.wrong("from", f"{source!r} must be 'u-boot/FILE' or 'PACKAGE/FILE'")
    if fields.has("to"):
        return Firmware(source, path=fields.text("to"))
    return Firmware(source, offset=fields.size("at"))


def _kernel(fields: Fields) -> Kernel:
    left_out = fields.named_lists("left_out")
    drivers, modules = _some(fields, "drivers"), fields.texts("modules")
    names = [name.replace("-", "_") for each in left_out.values() for name in each]
    if doubled := next((name for name in names if names.count(name) > 1), ""):
        raise fields.wrong("left_out", f"{doubled!r} is there twice; leave one out")
    if used := next((each for each in drivers + modules if each.replace("-", "_") in names), ""):
        raise fields.wrong("left_out", f"{used!r} is in drivers or modules too; leave one out")
    return Kernel(
        package=fields.text("package"),
        format=fields.choice("format", get_args(KernelFormat), "plain"),
        drivers=drivers,
        modules=modules,
        left_out=left_out,
    )


def _device_trees(fields: Fields) -> tuple[str, ...]:
    names = fields.texts("device_trees")
    if wrong := next((name for name in names if not _DEVICE_TREE.fullmatch(name)), ""):
        raise fields.wrong(
            "device_trees", f"{wrong!r} must be the name of a file, such as am335x-boneblack.dtb"
        )
    return names


def _console(fields: Fields) -> Console:
    device = _matching(fields, "device", _PORT, "Linux's name, such as ttyS0")
    return Console(device, fields.number("speed", 115200))


def _watchdog(fields: Fields) -> Watchdog:
    armed_by = fields.choice("armed_by", get_args(Armer))
    driver = fields.text("driver", "none")
    timeout = fields.number("timeout", 0)
    if timeout and not _SHORTEST <= timeout <= _LONGEST:
        raise fields.wrong("timeout", f"must be from {_SHORTEST} to {_LONGEST} seconds")
    if (armed_by == "nobody") != (timeout == 0):
        raise fields.wrong("timeout", "is needed if armed_by is not nobody, and only then")
    stopped_by = fields.choice("stopped_by", get_args(Stopper), "nobody")
    parameter = fields.text("parameter", "")
    if parameter and (driver == "none" or not _PARAMETER.fullmatch(parameter)):
        raise fields.wrong("parameter", "is one of the driver's, such as early_enable=1")
    return Watchdog(
        driver="" if driver == "none" else driver,
        armed_by=armed_by,
        timeout=timeout,
        stopped_by=stopped_by,
        parameter=parameter,
    )


def _qemu(fields: Fields) -> Qemu | None:
    if not fields.has("qemu"):
        return None
    inner = fields.inner("qemu", ("system", "machine", "cpu", "memory", "disk", "network"))
    return Qemu(
        system=inner.text("system"),
        machine=inner.text("machine"),
        cpu=inner.text("cpu"),
        memory=inner.size("memory"),
        disk=inner.choice("disk", get_args(Disk)),
        network=inner.choice("network", get_args(Network)),
    )


def _yocto(fields: Fields) -> Yocto | None:
    if not fields.has("yocto"):
        return None
    inner = fields.inner("yocto", ("machine", "settings"))
    settings = inner.named_texts("settings")
    for name, value in settings.items():
        if not _SETTING.fullmatch(name):
            raise inner.wrong("settings", f"{name!r} is not a BitBake variable")
        if '"' in value or "\\" in value:
            raise inner.wrong("settings", f"{name}: must not have a quote or a backslash")
    machine = _matching(inner, "machine", BOARD_NAME, "lower-case letters, digits, single dashes")
    return Yocto(machine, settings)


def _some(fields: Fields, name: str) -> tuple[str, ...]:
    texts = fields.texts(name)
    if not texts:
        raise fields.wrong(name, "must have at least one entry")
    return texts


def _matching(fields: Fields, name: str, pattern: re.Pattern[str], form: str) -> str:
    text = fields.text(name)
    if not pattern.fullmatch(text):
        raise fields.wrong(name, f"{text!r} must be {form}")
    return text
