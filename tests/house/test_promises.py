# SPDX-License-Identifier: Apache-2.0
"""Each promise of SECURITY.md names a test, and pytest runs it."""

from pathlib import Path

import pytest

from tests.house.promises import PAGE, broken, promises

FORM = """\
# Security

## What we promise

### N. The network

| | Promise | Held by |
|---|---|---|
| N1 | A promise that has its test. | `tests/house/test_a.py::test_one` |
| N2 | Another promise with two. | `tests/a/test_b.py::test_c`<br>`tests/a/test_b.py::test_d` |

## What we do not promise
| a | table of another kind |
"""


def test_every_promise_is_a_row_with_a_test() -> None:
    found, findings = promises(PAGE.read_text("utf-8"))

    assert findings == []
    assert len(found) > 40


@pytest.mark.boot  # pytest collects many files
@pytest.mark.timeout(180)
def test_every_test_that_a_promise_names_runs() -> None:
    found, _ = promises(PAGE.read_text("utf-8"))

    assert broken(found) == []


def test_a_page_of_the_form_is_read() -> None:
    found, findings = promises(FORM)

    assert findings == []
    assert [(each.name, len(each.tests), each.line) for each in found] == [
        ("N1", 1, 9),
        ("N2", 2, 10),
    ]


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("| `tests/house/test_a.py::test_one` |", "| |", "9: N1: nothing is not `tests/"),
        ("| `tests/house/test_a.py::test_one` |", "|", "9: has 2 cells"),
        ("`tests/house/test_a.py::test_one`", "by review", "9: N1: by review is not `tests/"),
        ("`tests/house/test_a.py::test_one`", "`tests/house/test_a.py`", "is not `tests/"),
        ("test_one`", "test_one[x]`", "is not `tests/"),
        ("`<br>`", "`, `", "10: N2: `tests/a/test_b.py::test_c`, `tests"),
        ("::test_d", "::test_c", "10: N2: names a test twice"),
        ("| N2 |", "| N3 |", "10: 'N3' is not N2, the next number"),
        ("| N2 |", "| |", "10: '' is not N2"),
        ("A promise that has its test.", "", "9: N1: write the promise as a sentence"),
        ("| | Promise | Held by |", "| Promise | Held by |", "7: write | | Promise | Held by |"),
        ("### N. The network", "### The network", "5: write '### X. Name'"),
        ("### N. The network\n", "", "a table outside of a section"),
        ("### N. The", "### M. Empty\n\n### N. The", "7: the section before has no promise"),
        ("## What we promise", "## Promises", "no promise stands under"),
    ],
)
def test_another_form_is_found(old: str, new: str, finding: str) -> None:
    assert old in FORM

    _, findings = promises(FORM.replace(old, new, 1))

    assert any(finding in each for each in findings), findings


@pytest.mark.boot  # starts pytest, four times
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def test_one", "def test_renamed"),
        ("def test_one", "@pytest.mark.skip\ndef test_one"),
        ("import pytest", "import pytest, no_such_module"),
        ("", ""),
    ],
)
def test_a_test_that_is_renamed_or_never_runs_is_found(tmp_path: Path, old: str, new: str) -> None:
    text = "import pytest\n\n@pytest.mark.parametrize('x', 'ab')\ndef test_one(x): pass\n"
    folder = tmp_path / "tests" / "house"
    folder.mkdir(parents=True)
    (folder / "test_a.py").write_text(text.replace(old, new) + "def test_other(): pass\n")
    (folder / "test_c.py").write_text("def test_whole(): pass\n")
    page = FORM.replace("tests/a/test_b.py::test_c`<br>`tests/a/test_b.py::test_d", _WHOLE)

    found = broken(promises(page)[0], root=tmp_path)

    finding = "9: N1: tests/house/test_a.py::test_one is not a test that runs"
    assert found == ([finding] if new else [])


_WHOLE = "tests/house/test_c.py::test_whole"


def test_a_file_that_is_gone_is_found(tmp_path: Path) -> None:
    found = broken(promises(FORM)[0], root=tmp_path)

    assert [each.partition(" is not")[0] for each in found] == [
        "9: N1: tests/house/test_a.py::test_one",
        "10: N2: tests/a/test_b.py::test_c",
        "10: N2: tests/a/test_b.py::test_d",
    ]
