# SPDX-License-Identifier: Apache-2.0
"""A configuration that is written from values is read back as these values."""

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_agent.config.write import HEAD, document, save

texts = st.text(st.characters(exclude_categories=["Cs"]))  # TOML has no surrogates
scalars = texts | st.booleans() | st.integers() | st.floats(allow_nan=False)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)


@given(st.dictionaries(texts, values, max_size=4))
def test_every_value_is_read_back(tables: dict[str, Any]) -> None:
    assert tomllib.loads(document(tables)) == tables


def test_sections_are_tables_below_a_line_that_says_who_wrote_them() -> None:
    tables = {
        "server": {"urls": ["https://a.example"], "timeout": 5},
        "tls": {},
        "commit": {"policy": "grace", "grace": 1234567.0},
    }

    assert document(tables) == (
        HEAD + '\n[server]\nurls = ["https://a.example"]\ntimeout = 5\n'
        '\n[tls]\n\n[commit]\npolicy = "grace"\ngrace = 1234567\n'
    )


def test_a_value_that_it_does_not_know_is_a_bug() -> None:
    with pytest.raises(TypeError, match="None"):
        document({"a": None})


def test_the_old_file_is_kept_and_the_mode_stays(tmp_path: Path) -> None:
    path = tmp_path / "ota" / "agent.toml"

    assert save(path, "# 1\n", {}) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    for text, name in (("# 2\n", "agent.toml.old"), ("# 3\n", "agent.toml.old.2")):
        assert save(path, text, {}) == tmp_path / "ota" / name

    assert path.read_text() == "# 3\n"
    assert (tmp_path / "ota" / "agent.toml.old").read_text() == "# 1\n"
    assert (tmp_path / "ota" / "agent.toml.old.2").read_text() == "# 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(list(path.parent.iterdir())) == 3


def test_the_file_behind_a_link_is_written(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text("# mine\n")
    (tmp_path / "agent.toml").symlink_to("real.toml")

    kept = save(tmp_path / "agent.toml", document({}), {"a": 1})

    assert kept == tmp_path / "real.toml.old"
    assert (tmp_path / "agent.toml").is_symlink()
    assert (tmp_path / "real.toml").read_text() == document({})


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agent.toml").write_text("# mine\n")
    monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))

    with pytest.raises(OSError, match="full"):
        save(tmp_path / "agent.toml", document({}), {"a": 1})

    assert [each.name for each in tmp_path.iterdir()] == ["agent.toml"]


def test_a_file_of_values_alone_does_not_displace_one_with_comments(tmp_path: Path) -> None:
    path, old = tmp_path / "agent.toml", tmp_path / "agent.toml.old"
    path.write_text("# mine\n")
    first: dict[str, Any] = {"commit": {"policy": "grace"}}
    assert save(path, document(first), {}) == old

    assert save(path, document({}), first) is None

    assert old.read_text() == "# mine\n"
    assert path.read_text() == document({})
