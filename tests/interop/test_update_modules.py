# SPDX-License-Identifier: Apache-2.0
"""Mender's update modules under our agent, and artifacts of its generators for our modules."""

import os
import shutil
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads import ModuleOptions
from ota_agent.payloads.module import UpdateModule
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.house.tree import ROOT
from tests.interop.mender_client import unpack_client
from tests.unit.agent.payloads.artifacts import stored

pytestmark = [
    pytest.mark.boot,
    pytest.mark.timeout(300),  # [s] the first one waits for the package
    requires_program("mender-artifact", package="mender-artifact"),
    requires_program("dpkg-deb", package="dpkg"),
]

OURS = ROOT / "tools" / "agent" / "modules" / "v3"


@pytest.fixture(scope="module")
def client() -> Path:
    return unpack_client()


@pytest.fixture(params=["theirs", "ours"])
def options(request: pytest.FixtureRequest, client: Path, tmp_path: Path) -> ModuleOptions:
    theirs = client / "usr" / "share" / "mender" / "modules" / "v3"
    folder = theirs if request.param == "theirs" else OURS
    return ModuleOptions(folders=(folder,), payloads=tmp_path / "payloads")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder that is updated."""
    return tmp_path / "root" / "opt"


def generate(client: Path, kind: str, *words: str | Path, into: Path) -> bytes:
    """Make an artifact with Mender's own generator."""
    generator = client / "usr/share/doc/mender-client/examples" / f"{kind}-artifact-gen"
    artifact = into / "made.mender"
    common = ("-n", "release-2", "-t", "board", "-o", artifact)
    run(
        ("bash", "-c", 'cd "$1" && shift && bash "$@"', "bash", into, generator, *common, *words),
        timeout=30,
    )
    return artifact.read_bytes()


def write(kind: str, *files: Path, into: Path) -> bytes:
    """Make an artifact of files with `mender-artifact`."""
    artifact = into / "made.mender"
    names = [word for file in files for word in ("-f", str(file))]
    what = ("write", "module-image", "-T", kind, "-n", "release-2", "-t", "board")
    run(("mender-artifact", *what, *names, "-o", artifact), timeout=30)
    return artifact.read_bytes()


def install(data: bytes, options: ModuleOptions) -> UpdateModule:
    """Install the one payload; gives its installer."""
    (module,) = stored(data, options)
    module.call("ArtifactInstall")
    assert module.wants_reboot() == "no"
    return module


def test_a_single_file_is_installed_and_goes_back(
    client: Path, options: ModuleOptions, place: Path, tmp_path: Path
) -> None:
    place.mkdir(parents=True)
    (place / "app").write_bytes(b"old")
    new = tmp_path / "app"
    new.write_bytes(b"new" * 100_000)
    new.chmod(0o750)
    data = generate(client, "single-file", "-d", place, new, into=tmp_path)

    module = install(data, options)
    found = (place / "app").read_bytes(), (place / "app").stat().st_mode & 0o777
    assert module.can_roll_back()
    module.call("ArtifactRollback")
    module.call("ArtifactFailure")
    module.call("Cleanup")

    assert found == (new.read_bytes(), 0o750)
    assert (place / "app").read_bytes() == b"old"
    assert list(options.payloads.iterdir()) == []


def test_a_directory_is_installed_and_goes_back(
    client: Path, options: ModuleOptions, place: Path, tmp_path: Path
) -> None:
    place.mkdir(parents=True)
    (place / "old").write_bytes(b"old")
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "new").write_bytes(b"new")
    data = generate(client, "directory", "-d", place, tree, into=tmp_path)

    module = install(data, options)
    found = sorted(path.name for path in place.rglob("*"))
    assert module.can_roll_back()
    module.call("ArtifactRollback")
    module.call("Cleanup")

    assert found == ["new", "sub"]
    assert [path.name for path in place.iterdir()] == ["old"]
    assert [path.name for path in place.parent.iterdir()] == ["opt"]


def test_a_directory_is_committed_and_stays(
    client: Path, options: ModuleOptions, place: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "new").write_bytes(b"new")
    data = generate(client, "directory", "-d", place, tree, into=tmp_path)

    module = install(data, options)
    module.call("ArtifactCommit")
    module.call("Cleanup")

    assert [path.name for path in place.iterdir()] == ["new"]


def test_scripts_run_in_order_and_the_first_that_fails_is_the_last(
    options: ModuleOptions, tmp_path: Path
) -> None:
    diary, scripts = tmp_path / "diary", []
    for number, end in enumerate(("exit 0", "exit 3", "exit 0")):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/bin/sh\necho {number} >> {diary}\n{end}\n")
        scripts.append(script)
    (module,) = stored(write("script", *scripts, into=tmp_path), options)

    with pytest.raises(AgentError, match="script: ArtifactInstall: exit code 3"):
        module.call("ArtifactInstall")
    can_roll_back = module.can_roll_back()
    module.call("Cleanup")

    assert diary.read_text() == "0\n1\n"
    assert not can_roll_back


def test_a_package_is_installed(
    options: ModuleOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By dpkg itself; a program before it on $PATH makes it work on a root of its own."""
    root, folder, tree = tmp_path / "root", tmp_path / "wrapped", tmp_path / "tree"
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    folder.mkdir()
    words = f"--root={root} --force-not-root --log=/dev/null"
    (folder / "dpkg").write_text(f'#!/bin/sh\nexec {shutil.which("dpkg")} {words} "$@"\n')
    (folder / "dpkg").chmod(0o755)
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: app\nVersion: 1\nArchitecture: all\nMaintainer: me <me@localhost>\n"
        "Description: nothing\n"
    )
    (tree / "app").write_text("new")
    run(("dpkg-deb", "-b", tree, tmp_path / "app.deb"), timeout=30)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}:/usr/sbin:/sbin")

    module = install(write("deb", tmp_path / "app.deb", into=tmp_path), options)
    module.call("ArtifactCommit")
    module.call("Cleanup")

    assert (root / "app").read_text() == "new"
    assert "Status: install ok installed" in (root / "var/lib/dpkg/status").read_text()
