# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/howto/bring-up.md, written from hil.yaml of each board.

`python -m tests.unit.board.bring_up --write` writes them; a test says when they are stale.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from ota_board.board import Board
from ota_board.hil import POWER, Basis, Death, Hil, Milestone
from ota_board.load import load_board
from ota_board.load_hil import FILE, load_hil, load_shared
from tests.house.generated import show_or_write
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "howto" / "bring-up.md"
_MARKED = re.compile(r"<!-- ([a-z]+) ([a-z0-9-]+) -->\n(.*?)<!-- end -->\n", re.DOTALL)
_BASIS: Mapping[Basis, str] = {"hardware": "measured", "qemu": "QEMU", "estimate": "estimate"}


def page(text: str) -> str:
    """The page with every table as hil.yaml has it.

    Args:
        text: of the page, with an empty or an old table between each pair of markers.

    Raises:
        KeyError: a marker names a table that there is not.
    """

    def table(match: re.Match[str]) -> str:
        kind, name, _ = match.groups()
        folder = ROOT / "boards" / name
        board = load_board(folder)
        hil = load_hil(folder, board.bootloader.kind)
        if hil is None:
            raise KeyError(f"{name}: has no hil.yaml")
        lines = "".join(f"{line}\n" for line in TABLES[kind](board, hil))
        return f"<!-- {kind} {name} -->\n{lines}<!-- end -->\n"

    return _MARKED.sub(table, text)


def wiring(board: Board, hil: Hil) -> Iterator[str]:
    """How the adapter is wired, what the console is, and how the board is fed."""
    yield from _table(
        ("Board", "", "Adapter"), ((each.board, each.signal, each.adapter) for each in hil.wiring)
    )
    yield ""
    name = board.console.device
    yield f"- Console: {board.console.speed} baud, 8N1, no flow control. Linux calls it {name}."
    if hil.power:
        yield f"- Supply: {hil.power.supply}"
        yield f"- Off means off for {hil.power.off} s."
        yield f"- What feeds the board meanwhile: {_lower(hil.power.feeds)}"


def start(_board: Board, hil: Hil) -> Iterator[str]:
    """How to start from the card."""
    yield from (f"{number}. {step}" for number, step in enumerate(hil.start, 1))


def milestones(_board: Board, hil: Hil) -> Iterator[str]:
    """What the console prints in a good start, within which time, and what it means if not."""
    rows = ((_code(each.pattern.text), _when(each), each.missing) for each in hil.milestones)
    yield from _table(("The console prints", "", "If it does not"), rows)


def deaths(board: Board, hil: Hil) -> Iterator[str]:
    """What only this board's console prints, and only if something is wrong."""
    of_all = _of_all(board)
    yield from _deaths(each for each in hil.deaths if each not in of_all)


def common(board: Board, _hil: Hil) -> Iterator[str]:
    """What the console of each board with this bootloader prints if something is wrong."""
    yield from _deaths(_of_all(board))


def _of_all(board: Board) -> tuple[Death, ...]:
    return load_shared(ROOT / "boards" / FILE, board.bootloader.kind).deaths


def _deaths(found: Iterable[Death]) -> Iterator[str]:
    yield from _table(
        ("The console prints", "It means", "What to do"),
        ((_code(each.pattern.text), each.means, each.remedy) for each in found),
    )


def symptoms(_board: Board, hil: Hil) -> Iterator[str]:
    """What can be seen without a console."""
    yield from _table(
        ("You see", "It means", "What to do"),
        ((each.seen, each.means, each.remedy) for each in hil.symptoms),
    )


TABLES: Mapping[str, Callable[[Board, Hil], Iterator[str]]] = {
    each.__name__: each for each in (wiring, start, milestones, deaths, common, symptoms)
}
"""The tables that a marker can ask for, by the name of the function that writes it."""


def _when(each: Milestone) -> str:
    if not each.after:
        return f"only {each.only}"
    after = "power-on" if each.after == POWER else f"`{each.after}`"
    return f"`{each.name}`: {each.within} s after {after} ({_BASIS[each.basis]})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |".replace("|  |", "| |")
    yield "|---" * len(list(head)) + "|"
    for row in rows:
        cells = (each.replace("|", "\\|") for each in row)
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _code(pattern: str) -> str:
    """The pattern, with what changes from start to start as an ellipsis."""
    return f"`{pattern.lstrip('* ').replace('*', '…')}`"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


if __name__ == "__main__":
    show_or_write(PAGE, page(PAGE.read_text("utf-8")))
