# SPDX-License-Identifier: Apache-2.0
"""Makes the initrd: busybox, the modules that the slot needs, and a script that mounts it.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (cpio, form "newc").
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ota_artifact.run import run
from ota_board.board import Watchdog
from ota_image.rootfs.modules import Module, normal

WATCHDOG = "watchdog"
"""The file with the watchdog's driver and timeout [s]; absent if there is none to start."""

_INIT = Path(__file__).with_name("init.sh")
_APPLETS = (
    *("sh", "mount", "insmod", "sleep", "switch_root", "reboot", "cat", "echo", "ls", "sync"),
    *("grep", "kill", "rm", "timeout", "tr", "watchdog"),
)
_FOLDERS = ("bin", "dev", "modules", "proc", "root", "sys")
_FOLDER, _FILE, _LINK = 0o040755, 0o100644, 0o120777
_EXECUTABLE = 0o111


def initrd(busybox: bytes, modules: Sequence[Module], watchdog: Watchdog | None = None) -> bytes:
    """A compressed initrd; the same parts always give the same bytes.

    Args:
        busybox: a static one.
        modules: in the order in which to load them.
        watchdog: that the initrd starts, if the board has one.

    Raises:
        ProgramError: gzip is missing.
        OSError: a module cannot be read.
    """
    files: dict[str, tuple[int, bytes]] = dict.fromkeys(_FOLDERS, (_FOLDER, b""))
    files["init"] = (_FILE | _EXECUTABLE, _INIT.read_bytes())
    files["bin/busybox"] = (_FILE | _EXECUTABLE, busybox)
    files |= {f"bin/{name}": (_LINK, b"busybox") for name in _APPLETS}
    files |= {f"modules/{each.name}.ko": (_FILE, each.image()) for each in modules}
    order = "".join(f"{each.name}.ko\n" for each in modules)
    files["modules/order"] = (_FILE, order.encode())
    if watchdog and watchdog.driver and watchdog.armed_by != "nobody":
        line = f"{normal(watchdog.driver)} {watchdog.timeout}\n"
        files[WATCHDOG] = (_FILE, line.encode())
    return gzipped(cpio(files))


def cpio(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """An archive of files by name, with mode and content; all belong to root and have no time."""
    return b"".join(_records(files))


def gzipped(data: bytes) -> bytes:
    """The data compressed by gzip, without name and time.

    Raises:
        ProgramError: gzip is missing.
    """
    return run(("gzip", "-n"), timeout=600, stdin=data, environment={"GZIP": ""})


def _records(files: Mapping[str, tuple[int, bytes]]) -> Iterator[bytes]:
    size = 0
    for number, name in enumerate(sorted(files), 1):
        mode, content = files[name]
        record = _record(number, name, mode, content)
        size += len(record)
        yield record
    end = _record(0, "TRAILER!!!", 0, b"")
    yield end
    yield bytes(-(size + len(end)) % 512)


def _record(number: int, name: str, mode: int, content: bytes) -> bytes:
    """Inode, mode, uid, gid, links, time, size, four device numbers, length of name, no sum."""
    path = name.encode() + b"\0"
    links = 2 if mode & _FOLDER == _FOLDER else 1
    numbers = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in numbers) + path
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
