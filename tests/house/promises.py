# SPDX-License-Identifier: Apache-2.0
"""The promises of SECURITY.md, and the tests that hold them.

`python -m tests.house.promises` prints the names of these tests, for pytest to run.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.house.tree import ROOT

PAGE = ROOT / "SECURITY.md"
HEADING = "What we promise"

HEAD = ("| | Promise | Held by |", "|---|---|---|")
"""The first two lines of each table."""

_TEST = re.compile(r"tests/[\w/]+/test_\w+\.py::test_\w+")
_SECTION = re.compile(r"### ([A-Z])\. [A-Z].*")

DEADLINE = 120  # [s] for pytest to collect

_COLLECT = """\
import sys, pytest
class Found:
    def pytest_collection_finish(self, session):
        for item in session.items:
            if not item.get_closest_marker("skip") or "NOTSET" in item.nodeid:
                print("found", item.nodeid.partition("[")[0])
sys.exit(pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *sys.argv[1:]], [Found()]))
"""
"""Prints each test that pytest collects from the given files, unless it is never run. One without
parameters, NOTSET, has some where checkouts of OpenEmbedded are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One row of a table.

    Attributes:
        name: such as ``N1``: the letter of its section, and its number there.
        text: what we promise.
        tests: that would fail if the promise were broken.
        line: of the page.
    """

    name: str
    text: str
    tests: tuple[str, ...]
    line: int


def promises(page: str) -> tuple[list[Promise], list[str]]:
    """The promises of a page, and what is wrong with its form."""
    found: list[Promise] = []
    findings: list[str] = []
    letter, number = "", 0
    expected: tuple[str, ...] = HEAD
    is_inside = False
    for at, line in enumerate(page.splitlines(), start=1):
        if line.startswith("## "):
            is_inside = line == f"## {HEADING}"
        if not is_inside:
            continue
        if line.startswith("### "):
            match = _SECTION.fullmatch(line)
            findings += [] if match else [f"{at}: write '### X. Name' for a section"]
            findings += (
                [f"{at}: the section before has no promise"] if letter and not number else []
            )
            letter, number, expected = (match[1] if match else "?"), 0, HEAD
        elif line.startswith("|") and not letter:
            findings.append(f"{at}: a table outside of a section")
        elif line.startswith("|") and expected:
            findings += [] if line == expected[0] else [f"{at}: write {expected[0]}"]
            expected = expected[1:]
        elif line.startswith("|"):
            number += 1
            promise, wrong = _row(line, f"{letter}{number}", at)
            findings += wrong
            found += [promise] if promise else []
    if letter and not number:
        findings.append(f"{at}: the section before has no promise")
    if not found:
        findings.append(f"no promise stands under '## {HEADING}'")
    return found, findings


def _row(line: str, name: str, at: int) -> tuple[Promise | None, list[str]]:
    cells = [each.strip() for each in line.strip("|").split("|")]
    if len(cells) != len(HEAD[0].strip("|").split("|")):
        return None, [f"{at}: has {len(cells)} cells; give the number, the promise and its tests"]
    given, text, held = cells
    findings = [] if given == name else [f"{at}: {given!r} is not {name}, the next number"]
    if not re.fullmatch(r"[A-Z`/].{20,}\.", text):
        findings.append(f"{at}: {name}: write the promise as a sentence")
    tests = []
    for each in held.split("<br>"):
        test = each.strip().removeprefix("`").removesuffix("`")
        if each.strip() == f"`{test}`" and _TEST.fullmatch(test):
            tests.append(test)
        else:
            wrong = each.strip() or "nothing"
            findings.append(f"{at}: {name}: {wrong} is not `tests/…/test_x.py::test_name`")
    if len({*tests}) != len(tests):
        findings.append(f"{at}: {name}: names a test twice")
    return Promise(name=given, text=text, tests=tuple(tests), line=at), findings


def broken(found: Iterable[Promise], *, root: Path = ROOT) -> list[str]:
    """The promises that name a test which pytest does not find, or never runs."""
    wanted = [(promise, test) for promise in found for test in promise.tests]
    modules = sorted({test.partition("::")[0] for _, test in wanted})
    there = [each for each in modules if (root / each).is_file()]
    known = _collected(there, root) if there else set()
    return [
        f"{promise.line}: {promise.name}: {test} is not a test that runs"
        for promise, test in wanted
        if test not in known
    ]


def _collected(modules: list[str], root: Path) -> set[str]:
    done = subprocess.run(  # noqa: S603
        (sys.executable, "-c", _COLLECT, *modules),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    lines = done.stdout.splitlines()
    found = {each.removeprefix("found ") for each in lines if each.startswith("found ")}
    assert found, f"pytest collects nothing: {done.stdout}{done.stderr}"
    return found


if __name__ == "__main__":
    print(
        "\n".join(sorted({test for each in promises(PAGE.read_text())[0] for test in each.tests}))
    )
