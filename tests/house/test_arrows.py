# SPDX-License-Identifier: Apache-2.0
"""Each package imports what it may, and one module starts other programs."""

import pytest

from tests.house.arrows import ROOMS, arrows, arrows_of, imports, other_doors, stray_imports, upward
from tests.house.tree import ROOT, files, place, tools


def test_every_package_imports_only_what_it_may() -> None:
    findings = [
        finding
        for tool in tools()
        for path in files("*.py", root=tool.path.parent / "src")
        for finding in stray_imports(tool.package, place(path), path.read_text(encoding="utf-8"))
    ]

    assert findings == []


def test_one_module_starts_other_programs() -> None:
    findings = [
        finding
        for path in files("*.py", root=ROOT / "tools")
        for finding in other_doors(place(path), path.read_text(encoding="utf-8"))
    ]

    assert findings == []


@pytest.mark.parametrize("package", ROOMS)
def test_each_room_imports_only_from_rooms_before_it(package: str) -> None:
    folder = ROOT / "tools" / package.removeprefix("ota_") / "src" / package
    found = arrows_of(package, folder)

    assert len(found) > 50
    assert upward(package, found) == []


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_exists_and_has_a_place(package: str) -> None:
    folder = ROOT / "tools" / package.removeprefix("ota_") / "src" / package
    found = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    found |= {path.parent.name for path in folder.glob("*/__init__.py")}

    assert found == set(ROOMS[package])


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("from ota_agent.engine.agent import Agent", "a.py:1: memory imports from engine"),
        ("def f():\n    import ota_agent.cli", "a.py:2: memory imports from cli, a later room"),
        ("from ota_agent import engine", "a.py:1: memory imports from engine, a later room"),
        ("from ota_agent.attic import box", "a.py:1: ota_agent.attic has no place"),
    ],
)
def test_a_wrong_arrow_between_rooms_is_found(source: str, finding: str) -> None:
    (found,) = upward("ota_agent", arrows("ota_agent", "a.py", "memory.store", source))

    assert finding in found


def test_a_right_arrow_between_rooms_passes() -> None:
    source = "from ota_agent.device.slots import Slot\nfrom ota_agent import __version__"

    found = arrows("ota_agent", "a.py", "memory.store", source)

    assert [(each.user, each.used) for each in found] == [("memory", "device")]
    assert upward("ota_agent", found) == []


def test_the_rules_are_held_against_files_that_exist() -> None:
    assert [tool.package for tool in tools()]
    assert all(list(files("*.py", root=tool.path.parent / "src")) for tool in tools())


@pytest.mark.parametrize(
    ("package", "source", "finding"),
    [
        ("ota_artifact", "import json\nimport yaml", "a.py:2: ota_artifact may not import yaml"),
        ("ota_artifact", "from ota_board.layout import x", "ota_artifact may not import ota_board"),
        ("ota_artifact", "def f():\n    import requests", "a.py:2: ota_artifact may not import"),
        ("ota_artifact", "import rich.progress", "imports rich at the top level"),
        ("ota_artifact", "try:\n    import isal\nexcept ImportError: ...", "at the top level"),
        ("ota_artifact", "class A:\n    import zstandard", "at the top level"),
        ("ota_artifact", "if TYPE_CHECKING: ...\nelse:\n    import isal", "at the top level"),
        ("ota_unheard", "import json", "a.py: ota_unheard has no row"),
    ],
)
def test_a_stray_import_is_found(package: str, source: str, finding: str) -> None:
    (found,) = stray_imports(package, "a.py", source)

    assert finding in found


@pytest.mark.parametrize(
    "source",
    [
        "import json, os.path",
        "from ota_artifact.errors import ArtifactError",
        "from . import errors\nfrom .errors import ArtifactError",
        "def f():\n    from cryptography.hazmat import primitives",
        "if TYPE_CHECKING:\n    from rich.progress import Progress",
    ],
)
def test_a_right_import_passes(source: str) -> None:
    assert stray_imports("ota_artifact", "a.py", source) == []


def test_imports_are_found_with_their_line_and_whether_they_are_late() -> None:
    found = imports("import a.b\nasync def f():\n    import c")

    assert [(each.line, each.root, each.late) for each in found] == [
        (1, "a", False),
        (3, "c", True),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "def f():\n    from subprocess import Popen",
        "import os\nos.system('true')",
        "import os\nos.execv('/bin/true', ['true'])",
        "import asyncio\nasyncio.create_subprocess_exec('true')",
    ],
)
def test_another_door_is_found(source: str) -> None:
    assert len(other_doors("ota_artifact/read.py", source)) == 1


def test_the_door_itself_may_start_programs() -> None:
    assert other_doors("tools/artifact/src/ota_artifact/run.py", "import subprocess") == []
