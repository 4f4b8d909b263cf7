# SPDX-License-Identifier: Apache-2.0
"""What the targets of the Makefile do to a machine, tried in a small tree of its own."""

import shutil
import sys
from pathlib import Path

import pytest

from ota_artifact.run import run, stream
from tests.conftest import requires_program
from tests.house.tree import ROOT

pytestmark = requires_program("make", package="make")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The Makefile and its scripts, with nothing to install."""
    tree = tmp_path / "a kit"
    tree.mkdir()
    shutil.copy(ROOT / "Makefile", tree)
    shutil.copytree(ROOT / ".ci", tree / ".ci")
    for name in ("debian-packages.txt", "requirements.lock"):
        (tree / name).touch()
    return tree


class Machine:
    """Fakes of apt-get, dpkg-query, id and sudo, as a machine with some packages has them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.asked = folder / "asked"
        self.has(id="echo 1000", sudo='shift; exec "$@"')
        self.has(dpkg_query="echo installed bc; echo not-installed flex; exit 1")
        self.has(
            apt_get=f'echo "$@" >>{self.asked}; case "$*" in *--assume-no*) echo "Need to get'
            ' 12.3 MB/45.6 MB of archives."; echo "After this operation, 78.9 MB of additional disk'
            ' space will be used."; exit 1;; esac'
        )

    def has(self, **programs: str) -> None:
        """Put programs there; an underscore is a hyphen."""
        for name, script in programs.items():
            path = self._folder / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def lacks(self, name: str) -> None:
        (self._folder / name).unlink()

    def install(self, tree: Path) -> tuple[int, str]:
        """Exit code and stderr of our script; where only our fakes and a few tools are."""
        for tool in ("bash", "cat", "dirname", "env", "grep", "sed"):
            found = shutil.which(tool)
            assert found
            self._folder.joinpath(tool).unlink(missing_ok=True)
            self._folder.joinpath(tool).symlink_to(found)
        script = tree / ".ci" / "debian-packages"
        ended = stream(("env", f"PATH={self._folder}", script), silence=30, sink=lambda _: None)
        return ended.code, ended.said


@pytest.fixture
def machine(tmp_path: Path, tree: Path) -> Machine:
    (tree / "debian-packages.txt").write_text(
        "# All\nbc    # counts\nbison # parses\nflex  # too\n"
    )
    return Machine(tmp_path / "bin")


def test_missing_packages_are_named_with_their_size_and_installed(
    machine: Machine, tree: Path
) -> None:
    code, said = machine.install(tree)

    assert code == 0
    assert said.splitlines() == [
        "debian-packages: debian-packages.txt names 2 packages that are not installed: bison flex",
        "debian-packages: downloading 12.3 MB/45.6 MB",
        "debian-packages: taking 78.9 MB on the disk",
    ]
    update, plan, install = machine.asked.read_text().splitlines()
    assert update.startswith("update ")
    assert plan.endswith(" bison flex")
    assert "--no-install-recommends" in install
    assert install.endswith(" bison flex")


def test_a_machine_that_has_everything_needs_no_root(machine: Machine, tree: Path) -> None:
    machine.has(dpkg_query="printf 'installed %s\\n' bc bison flex")
    machine.lacks("sudo")

    assert machine.install(tree) == (0, "(nothing on stderr)")
    assert not machine.asked.exists()


@pytest.mark.parametrize(
    "sudo",
    [None, "echo 'sudo: a terminal is required to read the password' >&2; exit 1"],
    ids=["none", "refuses"],
)
def test_a_user_who_cannot_be_root_is_told_what_to_run(
    machine: Machine, tree: Path, sudo: str | None
) -> None:
    if sudo:
        machine.has(sudo=sudo)
    else:
        machine.lacks("sudo")

    code, said = machine.install(tree)

    assert code == 3
    last = said.splitlines()[-1]
    assert last.startswith("debian-packages: need root")
    assert last.endswith("; run: apt-get install --no-install-recommends bison flex")
    assert ("and sudo refused" in last) == bool(sudo)
    assert not machine.asked.exists()


def test_an_archive_that_cannot_be_reached_is_not_sudos_fault(machine: Machine, tree: Path) -> None:
    machine.has(apt_get="echo 'E: no network' >&2; exit 100")

    code, said = machine.install(tree)

    assert code == 3
    assert said.endswith(
        "E: no network\ndebian-packages: apt-get update failed; its messages are above"
    )


def test_clean_says_that_the_cache_stays_and_how_to_empty_it(tree: Path) -> None:
    (tree / "build").mkdir()

    said = run(("make", "-C", tree, "clean"), timeout=60, environment={"XDG_CACHE_HOME": "/c"})

    assert "rm -rf '/c/ota-kit'" in said.decode()
    assert not (tree / "build").exists()


_BACKEND = """\
import zipfile
VERSION = "{version}"
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = f"tool-{{VERSION}}-py3-none-any.whl"
    about = f"tool-{{VERSION}}.dist-info"
    files = {{
        "METADATA": f"Metadata-Version: 2.1\\nName: tool\\nVersion: {{VERSION}}",
        "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any",
        "RECORD": "",
    }}
    with zipfile.ZipFile(f"{{folder}}/{{name}}", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(f"{{about}}/{{file}}", text)
    return name
"""
_OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}
_UNKNOWN = f"no-such-package==1 --hash=sha256:{'0' * 64}\n"


def give_tool(tree: Path, version: str) -> None:
    """A tool with a command, whose package is made without anything from elsewhere."""
    folder = tree / "tools" / "tool"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "backend.py").write_text(_BACKEND.format(version=version))
    (folder / "pyproject.toml").write_text(
        f"# {version}\n[build-system]\nrequires = []\nbuild-backend = 'backend'\n"
        "backend-path = ['.']\n"
    )


def set_up(tree: Path) -> tuple[int, str]:
    """`make setup` without a network: its exit code, and the end of its stderr."""
    settings = [f"{name}={value}" for name, value in _OFFLINE.items()]
    words = ("env", *settings, "make", "-C", str(tree), "setup", f"PYTHON={sys.executable}")
    ended = stream(words, silence=300, sink=lambda _: None)
    return ended.code, ended.said


def version_of_tool(tree: Path) -> str:
    """Of the tool in .venv, as its own pip says it."""
    said = run((tree / ".venv/bin/pip", "show", "tool"), timeout=60, environment=_OFFLINE)
    return next(
        line.removeprefix("Version: ")
        for line in said.decode().splitlines()
        if line.startswith("Version: ")
    )


@pytest.mark.boot
@pytest.mark.timeout(600)  # [s] two environments on a slow machine
def test_setup_without_a_network_never_takes_away_what_works(tree: Path) -> None:
    give_tool(tree, "1")
    assert set_up(tree)[0] == 0
    assert version_of_tool(tree) == "1"
    assert ".venv.new" not in (tree / ".venv/bin/pip").read_text()
    (tree / ".venv" / "mark").touch()

    give_tool(tree, "2")
    assert set_up(tree)[0] == 0
    assert version_of_tool(tree) == "2"
    assert (tree / ".venv" / "mark").exists(), "made again, though the lock is the same"

    (tree / "requirements.lock").write_text(_UNKNOWN)
    code, said = set_up(tree)
    assert code != 0
    assert "venv: not made; .venv is as it was. Is there a network?" in said
    assert version_of_tool(tree) == "2"
    assert sorted(each.name for each in tree.glob(".venv*")) == [".venv"]

    (tree / ".venv").rename(tree / ".venv.old")  # killed between two renames
    (tree / "requirements.lock").write_text("")
    assert set_up(tree)[0] == 0
    assert version_of_tool(tree) == "2"
    assert sorted(each.name for each in tree.glob(".venv*")) == [".venv"]
