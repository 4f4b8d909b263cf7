# SPDX-License-Identifier: Apache-2.0
"""The subjects of commits have one form."""

from pathlib import Path

import pytest

from ota_artifact.run import run
from tests.conftest import requires_program
from tests.house.commits import NoHistory, subjects, wrong_subjects
from tests.house.tree import ROOT


def test_every_subject_since_the_rule_has_the_form() -> None:
    try:
        lines = subjects(ROOT)
    except NoHistory as error:
        pytest.skip(f"needs the history: {error}")

    assert wrong_subjects(lines) == []


@pytest.mark.parametrize(
    ("subject", "finding"),
    [
        ("agent: " + "x" * 54, "abc: 61 characters: agent: "),
        ("Agent: keep the trial", "abc: not of the form 'area: what'"),
        ("keep the trial", "abc: not of the form"),
        ("agent:keep the trial", "abc: not of the form"),
        ("agent: keep the trial.", "abc: not of the form"),
        ("", "abc: not of the form"),
    ],
)
def test_a_wrong_subject_is_found(subject: str, finding: str) -> None:
    (found,) = wrong_subjects([f"abc {subject}"])

    assert found.startswith(finding)


@pytest.mark.parametrize(
    "subject", ["agent: " + "x" * 53, "meta-ota: add D-Bus", "agent, image: share the findings"]
)
def test_a_subject_of_the_form_passes(subject: str) -> None:
    assert wrong_subjects([f"abc {subject}"]) == []


@requires_program("git", package="git")
def test_the_subjects_are_those_after_the_base_without_merges(tmp_path: Path) -> None:
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com")
    run((*git, "init", "--quiet"), timeout=10)
    for subject in ("Old.", "a: one", "a: two"):
        run((*git, "commit", "--quiet", "--allow-empty", "--message", subject), timeout=10)
    base = run((*git, "rev-parse", "HEAD~2"), timeout=10).decode().strip()

    found = subjects(tmp_path, base)

    assert [line.partition(" ")[2] for line in found] == ["a: two", "a: one"]


@requires_program("git", package="git")
def test_a_tree_without_the_history_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoHistory, match="has no history back to"):
        subjects(tmp_path)

    run(("git", "-C", str(tmp_path), "init", "--quiet"), timeout=10)
    with pytest.raises(NoHistory, match="has no history back to"):
        subjects(tmp_path)

    (tmp_path / "export").mkdir()
    with pytest.raises(NoHistory, match="is not a clone of its own"):
        subjects(tmp_path / "export")
