# SPDX-License-Identifier: Apache-2.0
"""Code that only tests call is removed."""

import pytest

from tests.house.tree import ROOT, files, place
from tests.house.unused import Found, needless, unused

_LIBRARY = "a method that the library calls"

ALLOWED = {
    "Console.emit": f"logging: {_LIBRARY}",
    "DeploymentLog.emit": f"logging: {_LIBRARY}",
    "Hurried._new_conn": f"urllib3: {_LIBRARY}",
    "Plain.recv_into": f"socket: {_LIBRARY}",
    "Secure.do_handshake": f"ssl: {_LIBRARY}",
    "Parser.parse_known_args": f"argparse: {_LIBRARY}",
    "_Handler.do_GET": f"http.server: {_LIBRARY}",
    "_Server.handle_error": f"socketserver: {_LIBRARY}",
    "_Handler.log_message": f"http.server: {_LIBRARY}",
    "_Member.readable": f"io: {_LIBRARY}",
    "translations": "docs/reference/agent-toml.md is made from it",
    "Console.rest": "the harness, which tests drive",
    "Qemu.reset": "the harness, which tests drive",
}
"""Code that may stay, and why."""


@pytest.fixture(scope="module")
def tree() -> Found:
    found = Found()
    for path in files("*.py", root=ROOT / "tools"):
        if "src" in path.parts:
            found.add_module(place(path), path.read_text("utf-8"))
    return found


def test_everything_that_is_defined_is_used(tree: Found) -> None:
    assert len(tree.definitions) > 2000
    assert unused(tree, ALLOWED) == []


def test_what_may_stay_is_needed(tree: Found) -> None:
    assert needless(tree, ALLOWED) == []


def module(source: str, *others: str) -> Found:
    found = Found()
    found.add_module("a.py", source)
    for number, each in enumerate(others):
        found.add_module(f"{number}.py", each)
    return found


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("def f(): ...", "a.py:1: f is used by no tool"),
        ("class A: ...", "a.py:1: A is used by no tool"),
        ("class A:\n    def m(self): ...\nA()", "a.py:2: A.m is used by no tool"),
        ("def f():\n    f()", "a.py:1: f is used by no tool"),
        ("async def f(): ...\nx.g", "a.py:1: f is used by no tool"),
    ],
)
def test_what_nothing_uses_is_found(source: str, finding: str) -> None:
    assert unused(module(source, "f = 1\nprint(f, 'call f')")) == [finding]


def test_what_only_unused_code_uses_is_found() -> None:
    found = unused(module("def f():\n    g()\ndef g():\n    f()\ndef h(): ...\nh()"))

    assert [line.split()[1] for line in found] == ["f", "g"]


@pytest.mark.parametrize(
    ("source", "other"),
    [
        ("def f(): ...\nf()", ""),
        ("def f(): ...", "from a import f"),
        ("def f(): ...", "from a import f as g"),
        ("def f(): ...", "import a\na.f"),
        ("class A:\n    def f(self): ...\nA().f()", ""),
        ("class A:\n    def f(self): ...\nA()", "CALLS = {'f': 1}"),
        ("class A:\n    def __enter__(self): ...\nA()", ""),
    ],
)
def test_what_is_used_passes(source: str, other: str) -> None:
    assert unused(module(source, other)) == []


def test_what_may_stay_is_not_found_and_must_be_needed() -> None:
    found = module("def f(): ...\ndef g(): ...\ng()")

    assert unused(found, {"f"}) == []
    assert needless(found, {"f": "", "g": "", "gone": ""}) == ["g", "gone"]
