# SPDX-License-Identifier: Apache-2.0
"""Links in the documentation lead somewhere."""

from pathlib import Path

import pytest

from tests.house.links import anchors, broken_links
from tests.house.tree import ROOT, files


def test_every_relative_link_leads_somewhere() -> None:
    pages = list(files("*.md"))

    findings = [finding for page in pages for finding in broken_links(page, root=ROOT)]

    assert pages
    assert findings == []


@pytest.mark.parametrize(
    "link", ["gone.md", "b.md#gone", "#gone", "sub/b.md", "../outside.md", "b.md#in-a-fence"]
)
def test_a_broken_link_is_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "outside.md").touch()
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a.md").write_text(f"# A\n\nSee [there]({link}).\n")
    (root / "b.md").write_text("# B\n```\n# In a fence\n```\n")

    assert broken_links(root / "a.md", root=root) == [f"a.md:3: {link} leads nowhere"]


def test_a_link_that_leads_somewhere_passes(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text(
        "# A page\n[up](#a-page) [b](b.md#the-b-1) [web](https://example.com/gone) `[x](gone)`\n"
        "```\n[code](gone.md)\n```\n"
    )
    (tmp_path / "b.md").write_text("# The `b`\n## The b\n")

    assert broken_links(page, root=tmp_path) == []


def test_anchors_are_named_as_forges_name_them() -> None:
    page = "# Sign, then: `read`!\n## a_b c-d\n## [Linked](x.md) one\n"

    assert anchors(page) == {"sign-then-read", "a_b-c-d", "linked-one"}
