# SPDX-License-Identifier: Apache-2.0
"""The keys and certificate of a device that the layer builds for: a wrong one stops the build."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.golden.keys import EcKey
from tests.house.tree import ROOT

RECIPES = ROOT / "meta-ota" / "recipes-ota" / "ota-kit"


class Stopped(Exception):
    """What BitBake's `fatal` ends with."""


class Messages:
    """BitBake's messages."""

    def fatal(self, text: str) -> None:
        """End the build."""
        raise Stopped(text)


def function(name: str) -> Callable[..., None]:
    """A function of the recipe, to which BitBake lends `os` and `bb`."""
    (recipe,) = RECIPES.glob("ota-agent-conf_*.bb")
    found = re.search(rf"^def {name}.*?(?=^\S|\Z)", recipe.read_text("utf-8"), re.M | re.S)
    assert found
    names: dict[str, Any] = {"os": os, "bb": Messages()}
    exec(found[0], names)  # noqa: S102  (our own recipe)
    made: Callable[..., None] = names[name]
    return made


def check_keys(*paths: Path) -> None:
    function("ota_check_keys")([*map(str, paths)])


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_text(EcKey(7).public.pem, "utf-8")
    return path


def test_public_keys_are_fine(key: Path) -> None:
    other = key.with_name("other.pem")
    other.write_text(EcKey(8).public.pem, "utf-8")

    check_keys(key, other)
    check_keys()


def test_of_two_keys_of_the_same_name_none_is_lost_in_silence(key: Path, tmp_path: Path) -> None:
    other = tmp_path / "folder" / key.name
    other.parent.mkdir()
    other.write_text(EcKey(8).public.pem, "utf-8")

    with pytest.raises(Stopped, match=r"another key has the same file name.*; rename it"):
        check_keys(key, other)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("-----BEGIN EC PRIVATE KEY-----\n", "is a private key, which must not be on a device"),
        ("-----BEGIN CERTIFICATE-----\n", "must have one public key in PEM"),
        ("", "must have one public key in PEM"),
        (EcKey(7).public.pem + EcKey(8).public.pem, "must have one public key in PEM"),
    ],
    ids=("private", "certificate", "empty", "two"),
)
def test_what_is_not_one_public_key_is_named(key: Path, text: str, finding: str) -> None:
    key.write_text(text, "utf-8")

    with pytest.raises(Stopped, match=f"{key} {finding}"):
        check_keys(key)


def test_the_private_key_of_a_server_stays_off_the_device(key: Path) -> None:
    check = function("ota_check_certificate")
    check("")
    check(str(key))
    key.write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", "utf-8")

    with pytest.raises(Stopped, match="has a private key, which must not be on a device"):
        check(str(key))
