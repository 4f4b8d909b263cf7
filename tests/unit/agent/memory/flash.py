# SPDX-License-Identifier: Apache-2.0
"""What a power cut leaves of the files that a program writes, by its system calls.

A model that is harder than ext4: what was not synced is lost, and a name that was made or removed
is as it was before until its folder is synced.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ota_artifact.run import run

BLOCK = 4096
_TRACED = "openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink"


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that a program writes to a file."""

    path: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """To a length."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Make:
    """A file that may be there already."""

    path: str


@dataclass(frozen=True, slots=True)
class Remove:
    """A file."""

    path: str


@dataclass(frozen=True, slots=True)
class Sync:
    """A file, or the names in a folder."""

    path: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the program says on stderr: how far it is."""

    text: str


Call = Write | Cut | Make | Remove | Sync | Said


@dataclass(kw_only=True)
class Flash:
    """A folder on a disk: what is written, and what of it would be there after a cut."""

    written: dict[str, bytearray] = field(default_factory=dict)
    synced: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    kept_names: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def take(self, call: Call) -> None:
        """Have a call done."""
        match call:
            case Make(path) if path not in self.names:
                self.count += 1
                self.names[path] = f"{self.count}"
                self.written[self.names[path]] = bytearray()
                self.synced[self.names[path]] = b""
            case Remove(path):
                self.names.pop(path, None)
            case Write(path, offset, data) if path in self.names:
                content = self.written[self.names[path]]
                content.extend(bytes(max(0, offset + len(data) - len(content))))
                content[offset : offset + len(data)] = data
            case Cut(path, size) if path in self.names:
                content = self.written[self.names[path]]
                content.extend(bytes(max(0, size - len(content))))
                del content[size:]
            case Sync(path) if path in self.names:
                self.synced[self.names[path]] = bytes(self.written[self.names[path]])
            case Sync(folder):
                inside = {each for each in self.kept_names if Path(each).parent == Path(folder)}
                for name in inside - self.names.keys():
                    del self.kept_names[name]
                self.kept_names |= {
                    name: node
                    for name, node in self.names.items()
                    if Path(name).parent == Path(folder)
                }

    def after_a_cut(self) -> dict[str, bytes]:
        """The files that are surely there: what is synced, and nothing else."""
        return {name: self.synced[node] for name, node in self.kept_names.items()}

    def with_garbled(self, call: Write) -> Iterator[dict[str, bytes]]:
        """The files after a cut during a write, each of its blocks in turn being noise."""
        if call.path not in self.kept_names:
            return
        found = self.after_a_cut()
        first, last = call.offset // BLOCK, (call.offset + len(call.data) - 1) // BLOCK
        for block in range(first, last + 1):
            content = bytearray(found[call.path])
            content.extend(bytes(max(0, (block + 1) * BLOCK - len(content))))
            content[block * BLOCK : (block + 1) * BLOCK] = b"\xa5" * BLOCK
            yield {**found, call.path: bytes(content)}


def traced(words: tuple[str, ...], folder: Path, trace: Path) -> list[Call]:
    """Run a program; gives what it does to the files of a folder, and says on stderr."""
    strace = ("strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={_TRACED}")
    run((*strace, "-o", str(trace), *words), timeout=60)
    return list(_calls(trace.read_text("ascii"), folder))


def put(files: dict[str, bytes], folder: Path, new: Path) -> None:
    """Put files of a folder into another, which is emptied."""
    for each in new.iterdir():
        each.unlink()
    for name, content in files.items():
        (new / Path(name).relative_to(folder)).write_bytes(content)


def _calls(trace: str, folder: Path) -> Iterator[Call]:
    for line in trace.splitlines():
        call = line.partition(" ")[2]
        name, _, rest = call.lstrip().partition("(")
        done, _, result = rest.rpartition(" = ")
        if not done or result.startswith("-1"):
            continue
        texts = [_bytes(each) for each in re.findall(r'"([^"]*)"', done)]
        places = [_bytes(each).decode() for each in re.findall(r"<([^>]*)>", done)]
        numbers = re.sub(r'"[^"]*"|<[^>]*>', "", done).rstrip(")").split(",")
        path = places[0] if places else ""
        if name in ("openat", "unlink"):
            path = texts[0].decode()
        if name == "write" and numbers[0] == "2":
            yield Said(texts[0].decode().strip())
        if Path(path) != folder and Path(path).parent != folder:
            continue
        match name:
            case "openat" if "O_CREAT" in done:
                yield Make(path)
            case "unlink":
                yield Remove(path)
            case "pwrite64":
                yield Write(path, int(numbers[-1]), texts[0])
            case "write":
                raise AssertionError(f"at which offset? {line[:120]}")
            case "ftruncate":
                yield Cut(path, int(numbers[-1]))
            case "fsync" | "fdatasync":
                yield Sync(path)


def _bytes(escaped: str) -> bytes:
    return codecs.escape_decode(escaped.encode())[0]
