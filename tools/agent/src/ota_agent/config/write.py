# SPDX-License-Identifier: Apache-2.0
"""Writes a configuration file from its values."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ota_agent.config.section import as_toml
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

    An old file without comments is not kept, so that an older one with comments stays. The mode
    stays; a new file is for root alone, since it may hold a token.

    Args:
        before: the values of the old file.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f"{path.name}.old")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.unlink(missing_ok=True)
    exists = path.exists()
    write_file(new, (text.encode(),), mode=path.stat().st_mode & 0o7777 if exists else 0o600)
    is_kept = exists and path.read_text("utf-8") != document(before)
    if is_kept:
        with suppress(FileNotFoundError):
            old.unlink()
        old.hardlink_to(path)
    new.replace(path)
    sync_folder(path.parent)
    return old if is_kept else None
