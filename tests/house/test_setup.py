# SPDX-License-Identifier: Apache-2.0
"""What the targets of the Makefile do to a machine, tried in a small tree of its own."""

import shutil
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


def test_what_is_missing_is_said_with_its_size_and_installed(machine: Machine, tree: Path) -> None:
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
