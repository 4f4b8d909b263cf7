# SPDX-License-Identifier: Apache-2.0
"""The English is plain, and the words are those that terminology.md defines."""

import fnmatch
import re

import pytest

from tests.house.english import AREAS, FORMS, HELD, TERMS, area_of, findings, is_held, main, texts
from tests.house.prose import prose
from tests.house.tree import ROOT

EXAMPLES = {
    "an own": ("An own board is one file.", "A board of your own is one file."),
    "anew": ("It is made anew.", "It is made again, from a renewed key."),
    "what becomes of": ("It says what becomes of a trial.", "It says what happens to a trial."),
    "Who …": ("Who asks nothing is disconnected.", "An idle client is disconnected. Who is idle?"),
    "is no …": ("That is no number.", "There is no number. It is no longer 5, and no more than 6."),
    "is said": ("The offset is said to be 5.", "The file says that the offset is 5."),
    "take back": ("The update is taken back.", "The update is rolled back."),
    "beside": ("It needs urllib3 beside Python.", "It needs urllib3 in addition to Python."),
    "whoever": ("It takes whoever asks.", "It accepts any device; however, who asks is logged."),
    "somebody": ("Somebody must decide.", "A user must decide; some body of text."),
    "a person": ("A person has to decide.", "A user has to decide. Personal data stays."),
    "restart of a device": ("It restarts the device.", "It reboots the device; init restarts it."),
    "goes on": ("The download goes on.", "The download continues, and the log is on the console."),
    "as ever": ("It works as ever.", "It works as before, as every board does."),
    "wants a": (
        "The module wants a reboot.",
        "It needs a reboot, and the server wants it to stop.",
    ),
    "holds": ("What holds for A, too.", "A slot holds files; what a map holds is listed."),
    "alone": (
        "It is for root alone.",
        "For each part alone; it is left alone; the key alone decides.",
    ),
    "so that …": (
        "The file is not there, so that it fails.",
        "The file is not there, so it fails. It is kept, so that no key is lost.",
    ),
    "of which": ("Two copies, of which one is right.", "There are two copies. One is right."),
    "shall": ("It shall run.", "It must run. A shallow clone."),
    "stands in": ("It stands before a section.", "It is in one, and stands in for another."),
    "that is none": ("A command that is none.", "An unknown command; there is none that fits."),
    "otherwise than": ("Called otherwise than here.", "Otherwise, it differs; smaller than here."),
    "in-/active slot": (
        "The inactive partition.",
        "The passive slot; the partition that is active.",
    ),
    "file system": ("A file system.", "A filesystem; a file, systemd."),
    "boot loader": ("The boot loader.", "The bootloader; boot, load."),
    "roll-back": ("A roll-back.", "A rollback; roll back."),
}
"""For each form a text that has it once, and one that has not."""


@pytest.mark.boot  # reads every file of the tree
def test_the_tree_has_none_of_the_forms_where_it_is_held_to_that() -> None:
    held = [(name, text) for name, text in texts() if is_held(name)]

    found = [str(finding) for name, text in held for finding in findings(name, text)]

    assert len(held) > 40
    assert found == []


def test_every_glob_of_the_files_that_are_held_matches_one() -> None:
    names = [name for name, _ in texts()]

    assert [glob for glob in HELD if not fnmatch.filter(names, glob)] == []


@pytest.mark.parametrize("form", [form.name for form in FORMS])
def test_a_form_is_found_and_what_it_resembles_is_not(form: str) -> None:
    wrong, right = EXAMPLES[form]

    assert [each.form.name for each in findings("a.md", f"# A\n\n{wrong}\n")] == [form]
    assert list(findings("a.md", f"# A\n\n{right}\n")) == []


def test_a_form_is_found_across_a_line_break_with_its_line() -> None:
    (finding,) = findings("docs/a.md", "# A\n\nOne, two\nand what is\nno number.\n")

    assert str(finding) == "docs/a.md:4: 'is no number': is no …; write is not a"


def test_code_and_what_is_made_from_code_is_not_prose() -> None:
    page = "`is no cat`\n\n```text\nanew\n```\n\n    anew\n\n[a](an-own.md)\n"
    table = "<!-- table -->\nanew\n<!-- end -->\n"

    assert list(findings("a.md", page + table)) == []
    assert list(findings("a.md", "<!-- Made by `make docs` from code -->\n\nanew\n")) == []


def test_python_is_read_in_the_names_of_its_tests() -> None:
    source = (
        "def test_a_file_is_no_cat() -> None:\n    test_is_no_dog()\n\n\ndef is_no_cow(): ...\n"
    )

    (found,) = findings("tests/a.py", source)

    assert (found.line, found.words) == (1, "is no cat")
    assert "dog" not in prose("a.py", source)


def test_python_is_read_in_its_comments_and_strings() -> None:
    source = 'anew = "it is"  # made\n#  anew\nraise E(\n    f"{x} is "\n    "no number"\n)\n'

    found = [(each.line, each.form.name) for each in findings("tests/a.py", source)]

    assert found == [(2, "anew"), (4, "is no …")]
    assert "raise" not in prose("a.py", source)
    assert len(prose("a.py", source)) == len(source)


@pytest.mark.parametrize("name", ["bootloader/a.cfg", "images/init", "kas.yml", "pyproject.toml"])
def test_other_files_are_read_whole(name: str) -> None:
    (finding,) = findings(name, "# This is\n# no number.\na = 1\n")

    assert (finding.line, finding.area) == (1, "other")


def test_a_file_is_counted_in_one_area() -> None:
    assert area_of("tools/agent/README.md") == "Markdown"
    assert area_of("tools/agent/src/ota_agent/errors.py") == "agent"
    assert area_of("Makefile") == list(AREAS)[-1]


def test_the_command_counts_what_it_finds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [("a.md", "An own cat.\n"), ("tools/hil/a.py", '"""Made anew, anew."""\n')]
    monkeypatch.setattr("tests.house.english.texts", lambda: iter(pages))

    assert main([]) == 1
    assert main(["--all", "--counts"]) == 1

    said = capsys.readouterr().out
    assert "a.md:1: 'An own': an own; write your own" in said
    assert re.search(r"^ +Markdown hil all$", said, re.MULTILINE)
    assert re.search(r"^anew +0 +2 +2$", said, re.MULTILINE)


def test_every_term_is_defined_once_and_in_order() -> None:
    page = (ROOT / "docs" / "reference" / "terminology.md").read_text("utf-8")
    defined = re.findall(r"\*\*([a-z -]+)\*\*", page, re.IGNORECASE)
    heads = re.findall(r"^\*\*([A-Za-z -]+)\*\*", page.partition("\n## ")[0], re.MULTILINE)

    assert {term for term in TERMS if term not in {each.lower() for each in defined}} == set()
    assert heads == sorted(heads, key=str.lower)
    assert len(heads) == len(set(heads))
