# SPDX-License-Identifier: Apache-2.0
"""The working tree that an update module finds itself in, and keeps what it needs in.

Source: Mender's update modules, protocol version 3, "File API".
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ota_agent.durable import remove_folder, sync_folder, write_file
from ota_agent.errors import AgentError
from ota_agent.small_file import read_small
from ota_artifact.header import Header, format_header_info, format_type_info
from ota_artifact.payload import PayloadFile
from ota_artifact.provides import GROUP, NAME

PROTOCOL = 3
"""Version of the protocol; in the file ``version`` too."""

_LONGEST_TYPE = 4096  # [B]
_CURRENT = (NAME, GROUP, "device_type")


def tree_of(payloads: Path, number: int) -> Path:
    """The tree of a payload; 0 is the first."""
    return payloads / f"{number:04}" / "tree"


def make_tree(tree: Path, header: Header, number: int, current: Mapping[str, str]) -> None:
    """Make a tree for the payload of an artifact, in the place of one that is there; all on disk.

    Raises:
        OSError: no space, or the disk fails.
    """
    remove_tree(tree)
    for name in ("header", "tmp"):
        (tree / name).mkdir(parents=True, mode=0o700)
    payload = header.payloads[number]
    for name, content in {
        "version": f"{PROTOCOL}\n".encode(),
        **{f"current_{name}": _line(current.get(name, "")) for name in _CURRENT},
        "header/artifact_name": header.artifact_name.encode(),
        "header/artifact_group": (header.artifact_group or "").encode(),
        "header/payload_type": (payload.type or "").encode(),
        "header/header-info": format_header_info(header),
        "header/type-info": format_type_info(payload, header.version),
        "header/meta-data": payload.meta_data or b"{}",
    }.items():
        write_file(tree / name, (content,))
    sync_folder(tree / "header", tree, tree.parent, tree.parent.parent)


def remove_tree(tree: Path) -> None:
    """Take a tree away: after a power cut it is there whole, or not at all.

    Raises:
        OSError: the disk fails.
    """
    if tree.is_dir():
        remove_folder(tree.with_name("removed"))
        tree.rename(tree.with_name("removed"))
        sync_folder(tree.parent)
    remove_folder(tree.parent)


def type_of_tree(tree: Path) -> str:
    """The payload type that a tree was made for; empty if it does not say, or cannot be read."""
    try:
        return read_small(tree / "header" / "payload_type", _LONGEST_TYPE).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def store_file(
    tree: Path, file: PayloadFile, keep_free: int, passed: Callable[[int], None]
) -> None:
    """Put a payload's file into ``files/``; it is checked, and on the disk afterwards.

    Args:
        keep_free: what must be left free on the filesystem [B].
        passed: told of the length of each piece that is written [B].

    Raises:
        AgentError: there is not room enough for all of it.
        ArtifactError: it is damaged.
        OSError: the disk fails.
    """
    folder = tree / "files"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if file.size + keep_free > free:
        raise AgentError(
            f"{folder}/{file.name}: has {file.size} B, and {free} B are free; {keep_free} B"
            " of them are kept free; make room there, or use an update module that reads streams"
        )

    def counted() -> Iterator[bytes]:
        for chunk in file.chunks():
            yield chunk
            passed(len(chunk))

    write_file(folder / file.name, counted())
    sync_folder(folder, tree)


def _line(text: str) -> bytes:
    return f"{text}\n".encode() if text else b""
