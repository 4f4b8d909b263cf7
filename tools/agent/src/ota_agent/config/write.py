# SPDX-License-Identifier: Apache-2.0
"""Writes a configuration file from its values."""

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ota_agent.config.section import as_toml
from ota_agent.device.second_home import keep
from ota_agent.durable import sync_folder, write_file

HEAD = """\
# Written by `ota-agent setup`, which keeps the values here, but no comments.
# `ota-agent setup --print-default` explains every key.
"""


def document(tables: Mapping[str, Any]) -> str:
    """The text of a file with these tables, as `tomllib` gives them."""
    return HEAD + "".join(_table((), tables))


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a table: its own keys first, or they would belong to a table below it."""
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    if path and (len(inner) < len(table) or not table):
        yield f"\n[{'.'.join(map(_key, path))}]\n"
    for key, value in table.items():
        if key not in inner:
            yield f"{_key(key)} = {as_toml(value)}\n"
    for key, value in inner.items():
        yield from _table((*path, key), value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else as_toml(name)


def save(path: Path, text: str, before: Mapping[str, Any]) -> Path | None:
    """Write a configuration, whole or not at all; gives where the old file is kept.

    A file that `setup` has written, and nobody has changed, is not kept. No older file that was
    kept is replaced. Mode and owner stay; a new file is only for root, since it may hold a token.
    A symbolic link stays, and the file that it leads to is written.

    Args:
        before: the values of the old file.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    path = path.resolve()
    new = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)
    found = path.stat() if path.exists() else None
    kept = None
    try:
        write_file(new, (text.encode(),), mode=found.st_mode & 0o7777 if found else 0o600)
        if found:
            os.chown(new, found.st_uid, found.st_gid)
            if path.read_text("utf-8") != document(before):
                kept = _free(path.with_name(f"{path.name}.old"))
                kept.hardlink_to(path)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    keep()
    return kept


def _free(path: Path) -> Path:
    """The path, with a number if it is taken."""
    names = itertools.chain(
        (path,), (path.with_name(f"{path.name}.{n}") for n in itertools.count(2))
    )
    return next(each for each in names if not os.path.lexists(each))
