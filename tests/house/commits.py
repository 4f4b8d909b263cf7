# SPDX-License-Identifier: Apache-2.0
"""The subjects of commits: `area: what`, short enough for one line of any tool."""

import re
from collections.abc import Iterable
from pathlib import Path

from ota_artifact.errors import ProgramError
from ota_artifact.run import run

BASE = "438669c4538d479a3552e5787ef6e468efb55ff9"
"""The last commit before the rule; older subjects stay as they are."""

LONGEST = 60
"""Characters of a subject."""

_SUBJECT = re.compile(r"[a-z][a-z0-9-]*(?:, [a-z][a-z0-9-]*)*: [^\s.].*[^\s.]")


class NoHistory(Exception):
    """The commits since the base cannot be listed; the text says why."""


def subjects(root: Path, base: str = BASE) -> list[str]:
    """The subjects since the base, the newest first, each as `HASH SUBJECT`; merges left out.

    Raises:
        NoHistory: this is not a clone, git is missing, or the clone does not reach the base.
    """
    git = ("git", "-C", str(root))
    try:
        top = run((*git, "rev-parse", "--show-toplevel"), timeout=30).decode().strip()
        if Path(top).resolve() != root.resolve():
            raise NoHistory(f"{root}: is not a clone of its own, but a folder of {top}")
        run((*git, "merge-base", "--is-ancestor", base, "HEAD"), timeout=30)
        log = run((*git, "log", "--no-merges", "--format=%h %s", f"{base}..HEAD"), timeout=30)
    except ProgramError as error:
        raise NoHistory(f"{root}: has no history back to {base[:7]}: {error}") from error
    return log.decode().splitlines()


def wrong_subjects(lines: Iterable[str]) -> list[str]:
    """The faults of subjects, each given as `HASH SUBJECT`, one line each."""
    findings = []
    for line in lines:
        commit, _, subject = line.partition(" ")
        if len(subject) > LONGEST:
            findings.append(f"{commit}: {len(subject)} characters: {subject}")
        elif not _SUBJECT.fullmatch(subject):
            findings.append(f"{commit}: not of the form 'area: what': {subject}")
    return findings
