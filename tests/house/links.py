# SPDX-License-Identifier: Apache-2.0
"""Links between the project's own pages."""

import re
from collections import Counter
from pathlib import Path

from tests.house.tree import place

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
_HEADING = re.compile(r"^#{1,6} +(.*?)[ #]*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def anchors(page: str) -> set[str]:
    """The names of a page's headings, as forges make them: ``## First hour`` is ``first-hour``."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def broken_links(path: Path, *, root: Path) -> list[str]:
    """The links of a page to files and headings that do not exist, one line each."""
    page = _FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), path.read_text(encoding="utf-8"))
    findings = []
    for number, line in enumerate(page.splitlines(), start=1):
        for link in _LINK.findall(_CODE.sub("", line)):
            if not _ELSEWHERE.match(link) and not _leads_somewhere(link, path=path, root=root):
                findings.append(f"{place(path, root)}:{number}: {link} leads nowhere")
    return findings


def _leads_somewhere(link: str, *, path: Path, root: Path) -> bool:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists() or not target.is_relative_to(root):
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8"))
