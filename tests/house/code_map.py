# SPDX-License-Identifier: Apache-2.0
"""The lists in tools/README.md of what imports what, written from the source.

`make docs` writes them; a test says when they are stale.
"""

from tests.house.arrows import ARROWS, MAY_IMPORT, ROOMS, arrows_of, pictured, source_of
from tests.house.generated import show_or_write
from tests.house.tree import ROOT, tools

PAGE = ROOT / "tools" / "README.md"


def page(text: str) -> str:
    """The page with every list as the source has it.

    Args:
        text: of the page, with an empty or an old list between each pair of markers.

    Raises:
        ValueError: a list has no place on the page.
    """
    lists = {"packages": _packages()}
    for package in ROOMS:
        lists[package] = pictured(package, arrows_of(package, source_of(package)))
    for name, lines in lists.items():
        before, marker, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->\n")
        if not end:
            raise ValueError(f"{PAGE.name}: no place for a list; write <!-- {name} -->")
        text = "\n".join((f"{before}{marker}```", *lines, "```", f"{end}{after}"))
    return text


def _packages() -> list[str]:
    """A line for each package: what it imports of the house, and of others."""
    lines = []
    for package in (each for each in ARROWS if each in {tool.package for tool in tools()}):
        ours, others = (" ".join(sorted(row[package])) for row in (ARROWS, MAY_IMPORT))
        lines.append(f"{package:<14}{ours:<26}{others}".rstrip())
    return lines


if __name__ == "__main__":
    show_or_write(PAGE, page(PAGE.read_text("utf-8")))
