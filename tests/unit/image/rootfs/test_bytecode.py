# SPDX-License-Identifier: Apache-2.0
"""Byte code in a root filesystem: Python uses it, whatever the times of the files."""

import sys
from pathlib import Path

import pytest

from ota_artifact.run import run
from ota_image.rootfs.bytecode import add_bytecode
from ota_image.rootfs.python import own_python
from ota_image.rootfs.tree import Tree

MODULES = "/usr/lib/python3/dist-packages"
TAG = sys.implementation.cache_tag
SOURCE = '''"""Has names that other modules have."""
import os, sys
SIGN = "\xac"
def path(self, name, value="value"):
    return {"name": name, "value": value, "path": os.path, "argv": sys.argv}
'''


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "contents").mkdir()
    tree = Tree(tmp_path / "contents")
    tree.add_folder(f"/usr/lib/python3.{sys.version_info.minor}")
    return tree


def compiled(tree: Tree, name: str) -> bytes:
    entry = tree.get(f"{MODULES}/__pycache__/{name}.{TAG}.pyc")
    assert entry is not None
    assert entry.content is not None
    return entry.content.read_bytes()


def test_python_uses_it_and_never_looks_at_the_source(tree: Tree, tmp_path: Path) -> None:
    tree.add_file(f"{MODULES}/answer.py", "ANSWER = 42\n")
    add_bytecode(tree, own_python(), print)
    cache = tmp_path / "site" / "__pycache__"
    cache.mkdir(parents=True)
    (cache / f"answer.{TAG}.pyc").write_bytes(compiled(tree, "answer"))
    (tmp_path / "site" / "answer.py").write_text("ANSWER = 'compiled again'\n")

    program = "import sys; sys.path.insert(0, sys.argv[1]); import answer; print(answer.ANSWER)"
    said = run((sys.executable, "-I", "-c", program, tmp_path / "site"), timeout=20)

    assert said == b"42\n"


def test_another_process_makes_the_same_bytes(tree: Tree, tmp_path: Path) -> None:
    tree.add_file(f"{MODULES}/names.py", SOURCE)
    add_bytecode(tree, own_python(), print)
    program = (
        "import sys, pathlib, json, http.client, xml.dom, decimal\n"
        "sys.intern('\xac')\n"  # as an import does with a sign that it looks up by name
        "from ota_image.rootfs.bytecode import add_bytecode\n"
        "from ota_image.rootfs.python import own_python\n"
        "from ota_image.rootfs.tree import Tree\n"
        "tree = Tree(pathlib.Path(sys.argv[1]))\n"
        f"tree.add_folder('/usr/lib/python3.{sys.version_info.minor}')\n"
        f"tree.add_file('{MODULES}/names.py', sys.stdin.read())\n"
        "add_bytecode(tree, own_python(), print)\n"
        f"entry = tree.get('{MODULES}/__pycache__/names.{TAG}.pyc')\n"
        "sys.stdout.buffer.write(entry.content.read_bytes())\n"
    )
    (tmp_path / "other").mkdir()

    argv = (sys.executable, "-c", program, tmp_path / "other")
    said = run(argv, timeout=20, stdin=SOURCE.encode())

    assert said == compiled(tree, "names")


def test_bytecode_of_packages_is_removed_since_its_times_differ(tree: Tree) -> None:
    old = f"{MODULES}/__pycache__/answer.cpython-39.pyc"
    tree.add_file(f"{MODULES}/answer.py", "ANSWER = 42\n")
    tree.add_file(old, b"old")

    add_bytecode(tree, own_python(), print)

    assert old not in tree


def test_a_source_that_this_version_cannot_parse_stays_a_source(tree: Tree) -> None:
    tree.add_file(f"{MODULES}/old.py", "print 'hello'\n")
    tree.add_file(f"{MODULES}/odd.py", r"PATTERN = '\d'" + "\n")  # a warning, not an error

    add_bytecode(tree, own_python(), print)

    assert tree.get(f"{MODULES}/__pycache__/old.{TAG}.pyc") is None
    assert compiled(tree, "odd")


def test_another_pythons_image_gets_none_and_says_so(tmp_path: Path) -> None:
    tree, said = Tree(tmp_path), list[str]()
    tree.add_folder("/usr/lib/python3.9")
    tree.add_file(f"{MODULES}/answer.py", "ANSWER = 42\n")

    add_bytecode(tree, own_python(), said.append)

    assert "no python3.9 is at hand to compile its modules" in said[0]
    assert not [path for path, _ in tree if path.endswith(".pyc")]


def test_an_image_without_python_is_not_changed(tmp_path: Path) -> None:
    said: list[str] = []

    add_bytecode(Tree(tmp_path), own_python(), said.append)

    assert said == []
