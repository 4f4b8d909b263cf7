# SPDX-License-Identifier: Apache-2.0
"""A configuration is changed key by key; all else in it stays as somebody wrote it."""

import stat
import tomllib
from pathlib import Path

import pytest

from ota_agent.config.edit import edited, save
from ota_agent.config.settings import SECTIONS, default_file
from ota_agent.errors import AgentError

OWN = """\
# Of the gate in hall 3.
[server]  # ours
urls = [
  "https://a.example",  # the old one
]  # in this order
timeout = 5 # [s]

[tls]
"""


def test_a_key_keeps_its_place_and_its_comment() -> None:
    new = edited(OWN, {("server", "urls"): ("https://b.example",)}, "f")

    assert new == (
        "# Of the gate in hall 3.\n"
        "[server]  # ours\n"
        'urls = ["https://b.example"]  # in this order\n'
        "timeout = 5 # [s]\n"
        "\n"
        "[tls]\n"
    )


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        (("server", "tenant_token"), 'a"b\\c#d', r'tenant_token = "a\"b\\c#d"'),
        (("tls", "skip_verify"), True, "skip_verify = true"),
        (("commit", "grace"), 3600.0, "grace = 3600"),
        (("keys", "keys"), (), "keys = []"),
    ],
)
def test_a_new_key_stands_in_its_section(place: tuple[str, str], value: object, line: str) -> None:
    new = edited(OWN, {place: value}, "f")

    assert new.replace(f"{line}\n", "").startswith(OWN)
    assert tomllib.loads(new)[place[0]][place[1]] in (value, list(value) if value == () else None)
    assert [each for each in new.splitlines() if each == line]


def test_in_the_default_file_a_key_takes_the_place_of_its_comment() -> None:
    new = edited(default_file(), {("server", "urls"): ("https://a.example",)}, "f")

    assert "for none.\n#urls" not in new
    assert new.replace('urls = ["https://a.example"]', "#urls = []") == default_file()
    assert tomllib.loads(new) == {
        **{name: {} for name in SECTIONS},
        "server": {"urls": ["https://a.example"]},
    }


def test_a_value_with_a_hash_in_a_text_is_replaced_whole() -> None:
    new = edited('[s]\nname = "a # b" # c\n', {("s", "name"): "x # y"}, "f")

    assert new == '[s]\nname = "x # y" # c\n'


@pytest.mark.parametrize(
    "text",
    [
        'server = { urls = ["https://a.example"] }\n',
        'server.urls = ["https://a.example"]\n',
        '["server"]\nurls = ["https://a.example"]\n',
        '[server]\n"urls" = ["https://a.example"]\n',
        '[server]\nnote = """\n[server]\nurls = 1\n"""\nurls = ["https://a.example"]\n',
    ],
)
def test_what_is_not_understood_is_left_to_a_person(text: str) -> None:
    with pytest.raises(AgentError, match=r"f: cannot be changed from here: set urls in \[server\]"):
        edited(text, {("server", "urls"): ("https://b.example",)}, "f")


def test_what_is_no_toml_is_said_to_be_none() -> None:
    with pytest.raises(AgentError, match="f: is not TOML"):
        edited("[server\n", {}, "f")


def test_the_old_file_is_kept_and_the_rights_stay(tmp_path: Path) -> None:
    path = tmp_path / "ota" / "agent.toml"

    assert save(path, "1\n") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    for text in ("2\n", "3\n"):
        assert save(path, text) == tmp_path / "ota" / "agent.toml.old"

    assert path.read_text() == "3\n"
    assert (tmp_path / "ota" / "agent.toml.old").read_text() == "2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(each.name for each in path.parent.iterdir()) == ["agent.toml", "agent.toml.old"]
