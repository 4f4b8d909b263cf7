# SPDX-License-Identifier: Apache-2.0
"""The page of agent.toml says what the code does."""

import dataclasses
import typing
from pathlib import Path
from typing import Literal

import pytest

from ota_agent.config.section import attribute_docs
from ota_agent.config.settings import SECTIONS
from tests.unit.agent.config.reference import PAGE, kind_of, render, unit_of


def test_it_is_current() -> None:
    assert PAGE.read_text("utf-8") == render(), f"{PAGE.name} is stale; run `make docs`"


def test_every_key_is_explained_and_every_duration_has_its_unit() -> None:
    for name, kind in SECTIONS.items():
        docs, hints = attribute_docs(kind), typing.get_type_hints(kind)
        keys = [each.name for each in dataclasses.fields(kind)]
        assert sorted(docs) == sorted(keys), name
        for key in keys:
            is_part = key == "jitter"
            assert hints[key] is not float or is_part or unit_of(float, docs[key]) == "s", key


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (bool, "true or false"),
        (Path, "path"),
        (tuple[Path, ...], "list of paths"),
        (Literal["", "A"], '`""`, `"A"`'),
    ],
)
def test_types_have_names(hint: object, words: str) -> None:
    assert kind_of(hint) == words


@pytest.mark.parametrize(
    ("hint", "meaning", "unit"),
    [
        (float, "how long [s]", "s"),
        (float, "seconds for it", "s"),
        (int, "its size [B]", "B"),
        (int, "at most [B/s]", "B/s"),
        (int, "three times in 60 seconds", ""),
        (str, "a name [B]", ""),
    ],
)
def test_units_are_those_of_numbers(hint: object, meaning: str, unit: str) -> None:
    assert unit_of(hint, meaning) == unit
