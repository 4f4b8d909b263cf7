# SPDX-License-Identifier: Apache-2.0
"""A small archive, and a cache of the test's own."""

from pathlib import Path

import pytest

from tests.unit.image.packages.archive import entry


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an archive with two packages that belong together, and one more."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "archive"
    folder.mkdir()
    text = entry(folder, "init", "1:2.0-1", "Depends: libinit", "Recommends: manual")
    text += entry(folder, "libinit", "2.0-1") + entry(folder, "manual", "1")
    (folder / "Packages").write_text(text, "utf-8")
    return folder
