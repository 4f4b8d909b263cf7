# SPDX-License-Identifier: Apache-2.0
"""README's table of hosts: what was tried on each, by whom, and what was seen."""

import re
from dataclasses import dataclass

from tests.hosts.host import HOSTS, USERS
from tests.house.tree import ROOT

README = ROOT / "README.md"
_PART = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)
_NOTHING = "not tried"
_COUNTED = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", re.MULTILINE)
_SHOWN = re.compile(r"\d+ (?:failed|errors?|passed|skipped)")


@dataclass(frozen=True, slots=True)
class Check:
    """What users run: a column of the table."""

    title: str
    command: str


def _image(suite: str) -> Check:
    folder = f"build/{suite}"
    build = f".venv/bin/ota-image build qemu-arm64 --suite {suite} --output {folder}"
    look = f".venv/bin/ota-image doctor {folder}/*.sdimg --board qemu-arm64"
    return Check(f"image of {suite}", f"make setup && {build} && {look}")


CHECKS = {
    "demo": Check("`make demo`, cold", "make demo"),
    "check": Check("`make check`", "make check"),
    "test": Check("`make test`", "make test"),
    "bookworm": _image("bookworm"),
    "trixie": _image("trixie"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What was seen.

    Attributes:
        counts: of tests; empty if there were none.
        seconds: how long it took.
        day: when it ended.
    """

    is_good: bool
    counts: str
    seconds: float
    day: str

    def __str__(self) -> str:
        seen = self.counts or ("good" if self.is_good else "failed")
        seen = seen if self.is_good else f"**{seen}**"
        return f"{seen}, {self.seconds:.0f} s, {self.day}"


def cell_of(code: int, seconds: float, day: str, said: str) -> Cell:
    """The cell of a check that ended.

    Args:
        code: its exit code.
        said: all that it printed; the last counts of tests are shown.
    """
    found = _COUNTED.findall(said)
    counts = ", ".join(_SHOWN.findall(found[-1])) if found else ""
    return Cell(is_good=code == 0, counts=counts, seconds=seconds, day=day)


def filled(page: str, row: tuple[str, str], check: str, cell: Cell) -> str:
    """The page with one cell of its table filled; rows and columns that are new are added.

    Args:
        row: the name of the host, and the user by its key.
        check: the column by its key.
    """
    known = _rows(page)
    known[row[0], USERS[row[1]].title, CHECKS[check].title] = str(cell)
    return _PART.sub(lambda _: _text(known), page, count=1)


def _rows(page: str) -> dict[tuple[str, str, str], str]:
    """The cells by host, user and column, as their titles are."""
    part = _PART.search(page)
    lines = [] if part is None else part[0].strip().splitlines()
    table = [[each.strip() for each in line.strip("|").split("|")] for line in lines]
    return {
        (host, user, title): text
        for host, user, *cells in table[2:]
        for title, text in zip(table[0][2:], cells, strict=True)
        if text != _NOTHING
    }


def _text(cells: dict[tuple[str, str, str], str]) -> str:
    titles = [each.title for each in CHECKS.values()]
    lines = [f"| Host | User | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|"]
    for host in HOSTS.values():
        for user in USERS.values():
            texts = [cells.get((host.name, user.title, title), _NOTHING) for title in titles]
            if user.account == "dev" or set(texts) != {_NOTHING}:
                lines.append(f"| {host.name} | {user.title} | {' | '.join(texts)} |")
    return "\n".join(lines) + "\n"
