# SPDX-License-Identifier: Apache-2.0
"""A section of agent.toml becomes a dataclass, or says which key is wrong."""

import inspect
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from ota_agent.config.section import default_text, read
from ota_agent.errors import AgentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample.

    Attributes:
        count: how many; more than
            one line of it.
        delay: how long [s].
        name: what it is called.
        folder: where it is.
        commands: what is run.
        policy: one of two.
        is_on: whether.
    """

    count: int = 3
    delay: float = 1.5
    name: str = "x"
    folder: Path = Path("/data")
    commands: tuple[str, ...] = ("a", "b")
    policy: Literal["local", "server"] = "local"
    is_on: bool = True


def test_each_kind_of_value_is_read() -> None:
    text = 'count=1\ndelay=2\nname="y"\nfolder="/x"\ncommands=["c"]\npolicy="server"\nis_on=false'

    found = read(Sample, tomllib.loads(text), "f: [s]")

    assert found == Sample(
        count=1,
        delay=2.0,
        name="y",
        folder=Path("/x"),
        commands=("c",),
        policy="server",
        is_on=False,
    )


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("cuont = 1", r"f: \[s\] cuont: unknown; known: commands, count"),
        ("count = 1.5", r"f: \[s\] count: 1\.5 must be a whole number"),
        ("count = true", "count: True must be a whole number"),
        ("count = -1", "must not be negative"),
        ("delay = -1", "must not be negative"),
        ('delay = "1 s"', "delay: '1 s' must be a number"),
        ("name = 3", "name: 3 must be a string"),
        ('commands = "a"', "commands: 'a' must be a list"),
        ("commands = [1]", "commands: 1 must be a string"),
        ('policy = "offline"', "policy: 'offline' is not one of 'local', 'server'"),
        ("is_on = 1", "is_on: 1 must be true or false"),
    ],
)
def test_a_wrong_key_or_value_is_named(text: str, finding: str) -> None:
    with pytest.raises(AgentError, match=finding):
        read(Sample, tomllib.loads(text), "f: [s]")


@pytest.mark.parametrize("is_stripped", [False, True], ids=["Python 3.12", "Python 3.13"])
def test_the_default_text_explains_every_key_and_says_what_counts_if_it_is_absent(
    monkeypatch: pytest.MonkeyPatch, is_stripped: bool
) -> None:
    if is_stripped:
        monkeypatch.setattr(Sample, "__doc__", inspect.cleandoc(Sample.__doc__ or ""))

    text = default_text("s", Sample)

    assert "# How many; more than one line of it.\n#count = 3\n" in text
    bare = "\n".join(line.removeprefix("#") for line in text.splitlines() if line[:2] != "# ")
    assert read(Sample, tomllib.loads(bare)["s"], "f: [s]") == Sample()
