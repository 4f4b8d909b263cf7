# SPDX-License-Identifier: Apache-2.0
"""A docstring describes what exists: every entry names a parameter or a field."""

import pytest

from tests.house.docstrings import stale_entries
from tests.house.tree import files, place


def test_every_entry_of_a_docstring_names_what_is_there() -> None:
    found = [
        line
        for path in files("*.py")
        for line in stale_entries(place(path), path.read_text("utf-8"))
    ]

    assert found == []


def function(entries: str) -> str:
    return f'def f(a, *words, b=1):\n    """Do.\n\n    Args:\n{entries}\n    """\n'


def klass(section: str, entries: str, rest: str = "") -> str:
    return f'class A:\n    """It.\n\n    {section}:\n{entries}\n    """\n    x: int\n{rest}'


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (function("        a: one.\n        c: not one."), "Args of f names c"),
        (function("        a: one.\n            more: of it.\n        b, c: two."), "names c"),
        (function("        *others: all."), r"Args of f names *others"),
        (klass("Attributes", "        x: one.\n        y: not one."), "Attributes of A names y"),
        (klass("Args", "        y: none."), "Args of A names y"),
    ],
)
def test_an_entry_that_names_nothing_is_found(source: str, name: str) -> None:
    (found,) = stale_entries("a.py", source)

    assert found.startswith("a.py:1: ")
    assert name in found


@pytest.mark.parametrize(
    "source",
    [
        function("        a, b: two.\n            c: more of it.\n        *words: all."),
        klass("Attributes", "        x: one.\n        y: set.", "    def f(self): self.y = 1"),
        klass("Attributes", "        x: one.\n        p: one.", "    def p(self): ..."),
        klass("Args", "        z: one.", "    def __init__(self, z): ..."),
        klass("Args", "        x: of a dataclass."),
        klass("Attributes", "        x: one.") + '\nclass B(A):\n    """It.\n\n    Args:\n'
        '        x: of A.\n    """\n',
    ],
)
def test_an_entry_that_names_what_is_there_passes(source: str) -> None:
    assert list(stale_entries("a.py", source)) == []
