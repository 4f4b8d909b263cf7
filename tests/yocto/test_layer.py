# SPDX-License-Identifier: Apache-2.0
"""Checks of the Yocto layer without BitBake: its conventions, and that it is complete."""

import ast
import hashlib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ota_artifact.compressors import COMPRESSIONS
from ota_board.load import all_boards, load_board
from tests.house.tree import ROOT, tools
from tests.yocto.variables import PAGE, page, variables

LAYER = ROOT / "meta-ota"
RECIPES = sorted(LAYER.glob("recipes-*/*/*.bb*"))
METADATA = sorted(
    path for path in LAYER.rglob("*") if path.suffix in (".bb", ".bbappend", ".bbclass", ".inc")
)
UPSTREAM = re.compile(
    r"^Upstream-Status: (Pending|Submitted \[.+\]|Backport \[.+\]|Denied|Inappropriate \[.+\]"
    r"|Inactive-Upstream \[.+\])",
    re.MULTILINE,
)

# The packages of OpenEmbedded with modules of Python's library, in addition to python3-core.
# Source: openembedded-core, python3-manifest.json of scarthgap and of wrynose.
PACKAGES = {
    "asyncio": "asyncio",
    "base64": "netclient",
    "concurrent": "asyncio",
    "contextvars": "numbers",
    "ctypes": "ctypes",
    "datetime": "datetime",
    "email": "email",
    "fcntl": "fcntl",
    "hashlib": "crypt",
    "hmac": "netclient",
    "http": "netclient",
    "json": "json",
    "logging": "logging",
    "mmap": "mmap",
    "queue": "threading",
    "random": "math",
    "resource": "resource",
    "secrets": "netclient",
    "shlex": "shell",
    "socket": "io",
    "sqlite3": "sqlite3",
    "ssl": "io",
    "tarfile": "compression",
    "tempfile": "io",
    "termios": "io",
    "tomllib": "tomllib",
    "uuid": "netclient",
}
_CORE = """
argparse array binascii collections configparser contextlib dataclasses enum errno fnmatch functools
grp importlib inspect io itertools lzma math os pathlib posix posixpath pwd re select selectors
shutil signal stat struct subprocess sys textwrap threading time types typing urllib warnings zlib
"""
CORE = frozenset(_CORE.split())
OPTIONAL = {"dbus_fast", "deflate", "isal", "rich", "zstandard"}
"""Modules from outside Python that a device does not need, as the tools say."""


def recipe(name: str) -> str:
    """The text of a recipe by its name."""
    (path,) = [path for path in RECIPES if path.name.partition("_")[0] == name]
    return path.read_text("utf-8")


def library(tool: str) -> set[str]:
    """The modules of Python's library that a tool imports, by their first names."""
    return imported(tool) & sys.stdlib_module_names


def imported(tool: str) -> set[str]:
    """The modules that a tool imports, by their first names."""
    found = set()
    for path in (ROOT / "tools" / tool / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Import(names=names):
                    found |= {alias.name.partition(".")[0] for alias in names}
                case ast.ImportFrom(module=str(module), level=0):
                    found.add(module.partition(".")[0])
    return found


def others(tool: str) -> set[str]:
    """The modules that a tool imports and neither Python nor the kit has, by their first names."""
    return imported(tool) - sys.stdlib_module_names - {"ota_agent", "ota_artifact"}


def packages(modules: set[str]) -> set[str]:
    """The packages that have the modules.

    Raises:
        KeyError: the tables above do not know one.
    """
    return {f"python3-{PACKAGES[module]}" for module in modules - CORE}


def test_the_layer_says_which_releases_it_is_for() -> None:
    text = (LAYER / "conf" / "layer.conf").read_text("utf-8")

    assert 'LAYERSERIES_COMPAT_ota = "scarthgap wrynose"' in text
    assert 'LAYERDEPENDS_ota = "core"' in text


def test_the_papers_that_a_layer_must_have_are_there() -> None:
    readme = (LAYER / "README.md").read_text("utf-8")

    assert "maintainer" in readme.lower()
    assert "patch" in readme.lower()
    assert re.search(r"\S+@\S+", readme)
    assert (LAYER / "SECURITY.md").stat().st_size
    assert (LAYER / "COPYING.Apache-2.0").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_every_patch_has_its_upstream_status() -> None:
    patches = list(LAYER.rglob("*.patch"))

    assert patches
    assert [path for path in patches if not UPSTREAM.search(path.read_text("utf-8"))] == []
    assert not UPSTREAM.search("Upstream-Status: Backported\n")


def test_the_licence_that_the_recipes_check_is_that_of_the_tree() -> None:
    digest = hashlib.md5((ROOT / "LICENSE").read_bytes(), usedforsecurity=False).hexdigest()

    text = (LAYER / "recipes-ota" / "ota-kit" / "ota-kit.inc").read_text("utf-8")
    assert f'"file://LICENSE;md5={digest}"' in text


def test_the_recipes_have_the_version_of_what_they_build() -> None:
    ours = [path for path in RECIPES if "recipes-ota" in path.parts and "_" in path.name]
    recipes = [path.stem for path in ours]
    (version,) = {tool.version for tool in tools()}

    assert {name.partition("_")[2] for name in recipes} == {version}


@pytest.mark.parametrize(
    ("tool", "name"), [("artifact", "python3-ota-artifact"), ("agent", "ota-agent")]
)
def test_a_device_gets_every_module_of_python_that_is_imported(tool: str, name: str) -> None:
    wanted = packages(library(tool))

    wanted |= {f"python3-{module}" for module in others(tool) - OPTIONAL}
    needed = recipe(name).partition("RDEPENDS:${PN} = ")[2].partition('"\n')[0]

    assert "python3-cryptography" in wanted
    assert wanted <= set(re.findall(r"python3-[\w-]+", needed))


@pytest.mark.parametrize("tool", ["board", "image"])
def test_a_native_tool_comes_with_every_distribution_that_it_depends_on(tool: str) -> None:
    project = tomllib.loads((ROOT / "tools" / tool / "pyproject.toml").read_text("utf-8"))

    wanted = {re.split(r"[^\w-]", each)[0].lower() for each in project["project"]["dependencies"]}
    needed = recipe(f"python3-ota-{tool}-native").partition("RDEPENDS:${PN} = ")[2]
    assert {f"python3-{name}-native" for name in wanted} <= set(re.findall(r"[\w-]+", needed))


def test_a_module_that_the_tables_do_not_know_is_found() -> None:
    with pytest.raises(KeyError, match="turtle"):
        packages({"turtle"})


def test_every_variable_that_the_layer_reads_is_in_the_table() -> None:
    used: set[str] = set()
    for path in METADATA:
        text = re.sub(r"\bOTA_\w+='", "", path.read_text("utf-8"))  # a shell's, on the device
        used |= set(re.findall(r"\bOTA_[A-Z_]+\b", text))
    used |= set(re.findall(r"^OTA_\w+", (LAYER / "conf/layer.conf").read_text("utf-8"), re.M))

    assert used == set(variables())


@pytest.mark.parametrize("name", ["gzip", "xz", "zstd", "", "best", *COMPRESSIONS])
def test_a_compression_is_refused_unless_python_alone_writes_it(name: str) -> None:
    text = (LAYER / "classes-recipe" / "ota-artifact.bbclass").read_text("utf-8")
    source = text[text.index("def ota_can_compress") : text.index("\npython () {")]
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102  (BitBake does the same)

    is_allowed = scope["ota_can_compress"](name)

    needs_package = name.startswith(("gzip", "zstd"))
    assert is_allowed == (name in {"xz", *COMPRESSIONS} and not needs_package)


def test_the_page_of_the_variables_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == page(variables()), "run: make docs"


def test_a_board_may_set_no_variable_that_the_layer_does_not_know() -> None:
    for path in all_boards([ROOT / "boards"]):
        board = load_board(path)
        names = {name.partition(":")[0] for name in board.yocto.settings} if board.yocto else set()
        assert {name for name in names if name.startswith("OTA_")} <= set(variables())


def test_adding_the_layer_changes_nothing_of_other_layers() -> None:
    """Each line of an append needs a board's override, or is required only for a board."""
    free = re.compile(
        r"#.*|$|FILESEXTRAPATHS:prepend:ota :=|\w+:append:ota|require \$\{@.*else ''\}$"
    )
    for path in LAYER.rglob("*.bbappend"):
        for line in path.read_text("utf-8").splitlines():
            assert free.match(line), f"{path.relative_to(ROOT)}: {line}"


@pytest.mark.parametrize("path", METADATA, ids=lambda path: path.name)
def test_the_licence_stands_first(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]

    made = path.parent.name == "include"
    assert made or first == "# SPDX-License-Identifier: Apache-2.0"
