# SPDX-License-Identifier: Apache-2.0
"""Shows a layout as a table, and as a picture of the disk."""

from collections.abc import Iterator

from ota_artifact.layout import Area, Layout
from ota_artifact.size import format_size

_WIDTH = 60  # columns of the picture, if the names need no more


def table(layout: Layout) -> str:
    """A line for each area and each gap: offset, size, partition number, name."""
    rows = [("offset", "size", "no", "area")]
    end = 0
    for area in layout.areas:
        if area.offset > end:
            rows.append(_row(end, area.offset - end, "", "-"))
        name = area.name if area.kind == "partition" else f"{area.name} ({area.kind})"
        rows.append(_row(area.offset, area.size, str(area.number or ""), name))
        if area.kind != "extended":
            end = max(end, area.end)
    if layout.size > end:
        rows.append(_row(end, layout.size - end, "", "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"{offset:<{widths[0]}}  {size:>{widths[1]}}  {number:>{widths[2]}}  {name}"
        for offset, size, number, name in rows
    )


def picture(layout: Layout) -> str:
    """The disk from left to right; widths follow the sizes as far as the names allow."""
    parts = list(_parts(layout))
    cells, scale = [], ""
    for name, offset, size in parts:
        share = round(_WIDTH * size / layout.size)
        cells.append(f"{name:^{max(share, len(name) + 2, len(format_size(offset)) + 1)}}")
        scale += f"{format_size(offset):<{len(cells[-1]) + 1}}"
    line = "+".join("-" * len(cell) for cell in cells)
    return f"{scale}{format_size(layout.size)}\n+{line}+\n|{'|'.join(cells)}|\n+{line}+"


def _row(offset: int, size: int, number: str, name: str) -> tuple[str, str, str, str]:
    return f"{offset:#x}", format_size(size), number, name


def _parts(layout: Layout) -> Iterator[tuple[str, int, int]]:
    """Name, offset [B] and size [B] of each part of the disk in the picture, in order."""
    partitions = sorted(layout.partitions, key=lambda area: area.offset)
    first, last = partitions[0], partitions[-1]
    yield _before(layout, first), 0, first.offset
    for area in partitions:
        yield area.name, area.offset, area.size
    if layout.size > last.end:
        yield "free", last.end, layout.size - last.end


def _before(layout: Layout, first: Area) -> str:
    """What comes before the first partition, in a few words."""
    kinds = {area.kind for area in layout.areas if area.offset < first.offset}
    words = {"table": layout.table.upper(), "reserved": "firmware", "environment": "environment"}
    return ", ".join(word for kind, word in words.items() if kind in kinds)
