# SPDX-License-Identifier: Apache-2.0
"""Forms that are not plain English, and words that terminology.md has another word for.

`python -m tests.house.english` prints where they are in the files that are held to the rules, and
how often; `--all` looks at every file. It exits with 1 if it finds any.
"""

import argparse
import fnmatch
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.house.prose import prose
from tests.house.tree import ROOT, files, place

HELD = ("*",)
"""Globs of the files in which a test allows none of the forms, from the top of the tree."""

AREAS = {
    "Markdown": "*.md",
    "artifact": "tools/artifact/*",
    "agent": "tools/agent/*",
    "board": "tools/board/*",
    "image": "tools/image/*",
    "hil": "tools/hil/*",
    "meta-ota": "meta-ota/*",
    "tests": "tests/*",
    "bench": "bench/*",
    "other": "*",
}
"""Where the findings are counted: each file in the first area whose glob matches it."""

_EXEMPT = ("tests/house/english.py", "tests/house/test_english.py")
"""Files that quote the forms."""

_TEXT = (
    *(".bb", ".bbappend", ".bbclass", ".cfg", ".conf", ".dts", ".env", ".in", ".inc", ".j2"),
    *(".json", ".md", ".network", ".patch", ".py", ".service", ".sh", ".toml", ".txt", ".xml"),
    *(".yaml", ".yml", ""),
)
"""Suffixes of the files that hold text of ours."""

_NOT_OURS = ("*/LICENSE", "LICENSE", "*/COPYING*", "tests/golden/good/*", "tests/golden/broken/*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form that is not allowed.

    Attributes:
        name: as the findings and the counts call it.
        pattern: finds it in prose; a space in it also matches a line break.
        better: what to write.
        unless: a match that this matches as a whole is allowed.
    """

    name: str
    pattern: str
    better: str
    unless: str = ""

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        for found in re.finditer(self.pattern.replace(" ", r"\s+"), text):
            words = " ".join(found[0].split())
            if not self.unless or not re.fullmatch(self.unless, words):
                yield found


FORMS = (
    Form(name="an own", pattern=r"(?i)\ban own\b", better="your own, its own, one of its own"),
    Form(name="anew", pattern=r"(?i)\banew\b", better="again"),
    Form(
        name="what becomes of",
        pattern=r"(?i)\bwhat (?:becomes|became|has become) of\b",
        better="what happens to",
    ),
    Form(
        name="Who …",
        pattern=r"\bWho \w+\b(?![^.!?|]*\?)",
        better="a noun: 'A client that asks nothing', 'Programs that'",
    ),
    Form(
        name="is no …",
        pattern=r"(?i)\b(?:there )?(?:is|are|was|were) no [a-z]\w*",
        better="is not a",
        unless=r"(?i)there .*|\w+ no (?:better|different|fewer|greater|larger|later|less|longer|"
        r"more|newer|older|slower|smaller|worse)",
    ),
    Form(name="is said", pattern=r"(?i)\b(?:is|are|was|were|be) said\b", better="the verb itself"),
    Form(
        name="take back",
        pattern=r"(?i)\b(?:tak(?:es?|en|ing)|took)(?: (?:it|them|that|this|one))? back\b",
        better="roll back, undo, remove",
    ),
    Form(name="beside", pattern=r"(?i)\bbesides?\b", better="also, in addition; next to"),
    Form(name="whoever", pattern=r"(?i)\bwho(?:so)?ever\b", better="a user who, a program that"),
    Form(name="somebody", pattern=r"(?i)\bsomebody\b", better="a user, another program"),
    Form(
        name="a person",
        pattern=r"(?i)\b(?:a|an|the|this|that|no|each|every|any|one|another) person\b",
        better="a user",
    ),
    Form(
        name="restart of a device",
        pattern=r"(?i)\b(?:re-?start(?:s|ed|ing)? (?:of )?(?:the|a|this|its|your) (?:device|board)|"
        r"(?:device|board)(?:'s| (?:is|was|be|has|will|must|can|to))? re-?start(?:s|ed|ing)?)\b",
        better="reboot; a program restarts, a device reboots",
    ),
    Form(
        name="goes on",
        pattern=r"(?i)\b(?:go|goes|going|gone|went) on\b",
        better="continue, keep (doing)",
    ),
    Form(name="as ever", pattern=r"(?i)\bas ever\b", better="as before"),
    Form(name="wants a", pattern=r"(?i)\bwants? (?:a|an|one)\b", better="needs a, asks for a"),
    Form(
        name="holds",
        pattern=r"(?i)\bholds? (?:for|here|once|that(?! is\b)|too|without)\b|"
        r"\b(?:defaults|they|types|what(?: must)?) holds?(?=\s?(?:[.,;:|)\n]|\Z))",
        better="applies, counts, is right; nothing is in its hand",
    ),
    Form(
        name="alone",
        pattern=r"(?i)\broot alone\b|\b(?:but|for|in|of|reaches|takes?|uses?) "
        r"(?:(?!each |left )[\w'-]+ ){1,3}alone(?=\s?(?:[.,;:|)\n]|\Z))",
        better="only, before what it is about",
    ),
    Form(
        name="so that …",
        pattern=r"(?i)\b(?:cannot|(?:did|do|does|has|have|is|was) (?:no|not))"
        r"(?: [\w/'-]+){0,4}, so that\b",
        better="a colon, 'so' or 'therefore': it is a result, not a purpose",
    ),
    Form(name="of which", pattern=r"(?i)\bof which\b", better="two sentences"),
    Form(name="shall", pattern=r"(?i)\bshall\b", better="must, should, will"),
    Form(
        name="stands in",
        pattern=r"(?i)\bst(?:ands?|ood|anding) "
        r"(?:in\b(?! for\b)|(?:after|at|before|behind|here|there|twice)\b)",
        better="is in, comes before",
    ),
    Form(
        name="that is none",
        pattern=r"(?i)\b(?:that|what|which|who) (?:is|are|was|were) none\b|\bis none of\b",
        better="that is not one",
    ),
    Form(
        name="otherwise than",
        pattern=r"(?i)\botherwise than\b",
        better="differently from",
    ),
    Form(
        name="in-/active slot",
        pattern=r"(?i)\b(?:in)?active (?:slot|partition|rootfs|root filesystem)s?\b",
        better="running slot, passive slot",
    ),
    Form(name="file system", pattern=r"(?i)\bfile systems?\b", better="filesystem"),
    Form(name="boot loader", pattern=r"(?i)\bboot[ -]loaders?\b", better="bootloader"),
    Form(name="roll-back", pattern=r"(?i)\broll-back", better="roll back, rollback"),
)
"""Each with an example in test_english.py."""

TERMS = (
    *("artifact", "board", "checkpoint", "commit", "console", "deployment", "device type"),
    *("environment", "finding", "hazard", "health check", "layout", "maintenance window"),
    *("milestone", "passive slot", "pause point", "payload", "power", "reboot", "recipe"),
    *("restart", "rollback", "room", "running slot", "slot", "state", "state script", "trial"),
    *("trial boot", "update control map", "update module", "user"),
)
"""Words that docs/reference/terminology.md defines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One form in one place."""

    area: str
    place: str
    line: int
    form: Form
    words: str

    def __str__(self) -> str:
        return (
            f"{self.place}:{self.line}: '{self.words}': {self.form.name}; write {self.form.better}"
        )


def findings(name: str, text: str) -> Iterator[Finding]:
    """The forms in the prose of one file, in the order of the forms.

    Args:
        name: of the file, from the top of the tree; its suffix says where its prose is.
        text: its content.
    """
    view = prose(name, text)
    for form in FORMS:
        for found in form.matches(view):
            yield Finding(
                area=area_of(name),
                place=name,
                line=view.count("\n", 0, found.start()) + 1,
                form=form,
                words=" ".join(found[0].split()),
            )


def area_of(name: str) -> str:
    """The area that a file is counted in."""
    return next(area for area, glob in AREAS.items() if fnmatch.fnmatch(name, glob))


def is_held(name: str) -> bool:
    """Whether the test on the whole tree looks at a file."""
    return any(fnmatch.fnmatch(name, glob) for glob in HELD)


def texts(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Name and content of every file that holds text of ours."""
    for path in files(root=root):
        name = place(path, root)
        is_ours = name not in _EXEMPT and not any(fnmatch.fnmatch(name, each) for each in _NOT_OURS)
        if is_ours and path.suffix in _TEXT and not path.is_symlink():
            yield name, path.read_text(encoding="utf-8")


def table(found: Iterable[Finding]) -> str:
    """How often each form occurs in each area."""
    counts = Counter((each.form.name, each.area) for each in found)
    areas = [area for area in AREAS if any(key[1] == area for key in counts)]
    rows = [("", *areas, "all")]
    for name in (form.name for form in FORMS):
        numbers = [counts[name, area] for area in areas]
        rows.append((name, *map(str, numbers), str(sum(numbers))))
    sums = [sum(counts[form.name, area] for form in FORMS) for area in areas]
    rows.append(("all", *map(str, sums), str(sum(sums))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        " ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the findings and their counts; 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.house.english", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every file, not only those held")
    parser.add_argument("--counts", action="store_true", help="the counts alone")
    args = parser.parse_args(arguments)
    found = [
        finding
        for name, text in texts()
        if args.all or is_held(name)
        for finding in findings(name, text)
    ]
    if not args.counts:
        for each in found:
            print(each)
    print(table(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
