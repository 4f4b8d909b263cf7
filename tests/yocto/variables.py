# SPDX-License-Identifier: Apache-2.0
"""The page of the layer's variables, made from the table that the layer checks builds against.

python -m tests.yocto.variables --write
"""

import argparse
import json
import sys
from pathlib import Path

from tests.house.tree import ROOT

TABLE = ROOT / "meta-ota" / "conf" / "ota-variables.json"
PAGE = ROOT / "docs" / "reference" / "yocto-variables.md"
INTERNAL = "set by the layer; do not change it"
_FIELDS = ("default", "unit", "example", "meaning")

_HEAD = """\
# The variables of meta-ota

<!-- Made by `make docs` from the layer's table: do not edit. -->

You can set these variables in `local.conf`, in a machine or in a distribution. A variable that
begins with `OTA_` and is not on this page stops the build of an image. *The board's include* is
`conf/machine/include/ota-<board>.inc`, which `ota-board render` writes.

| Variable | Default | Unit | Example | |
|---|---|---|---|---|
"""


def variables(path: Path = TABLE) -> dict[str, dict[str, str]]:
    """Every variable with its default, unit, example and meaning.

    Raises:
        ValueError: a field is missing or unknown.
    """
    table: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))
    for name, fields in table.items():
        if tuple(fields) != _FIELDS:
            raise ValueError(f"{path}: {name}: has {list(fields)}, must have {list(_FIELDS)}")
    return table


def page(table: dict[str, dict[str, str]]) -> str:
    """The page, without variables that users must not set."""
    rows = [_HEAD]
    for name, fields in table.items():
        if fields["default"] != INTERNAL:
            default = _code(fields["default"])
            example = _code(fields["example"])
            rows.append(
                f"| `{name}` | {default} | {fields['unit']} | {example} | {fields['meaning']} |\n"
            )
    return "".join(rows)


def _code(text: str) -> str:
    """A value as a user types it; one that is described in words is not code."""
    words = text in ("the board's include", "by OTA_BOOTLOADER") or ", " in text
    return text if words or not text else f"`{text}`"


def main() -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    text = page(variables())
    if parser.parse_args().write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
