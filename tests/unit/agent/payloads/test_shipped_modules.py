# SPDX-License-Identifier: Apache-2.0
"""What all shipped update modules say; and those that run a program, script and deb."""

import os
import shutil
from pathlib import Path

import pytest

from ota_agent.errors import AgentError
from ota_agent.payloads import ModuleOptions
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.unit.agent.payloads.artifacts import artifact, stored
from tests.unit.agent.payloads.shipped import SHIPPED, Store


@pytest.mark.parametrize(
    ("kind", "can_roll_back"),
    [("single-file", True), ("directory", True), ("script", False), ("deb", False)],
)
def test_they_need_no_reboot_and_say_whether_they_can_go_back(
    store: Store, kind: str, can_roll_back: bool
) -> None:
    module = store(kind, {"file": b""})

    assert module.wants_reboot() == "no"
    assert module.can_roll_back() is can_roll_back


@pytest.mark.parametrize("kind", ["single-file", "directory", "script", "deb"])
def test_before_an_install_there_is_nothing_to_undo(
    store: Store, options: ModuleOptions, kind: str
) -> None:
    module = store(kind, {"file": b""})

    module.call("ArtifactRollback")
    module.call("ArtifactFailure")
    module.call("Cleanup")

    assert list(options.payloads.iterdir()) == []


@pytest.mark.parametrize("kind", ["single-file", "directory", "script", "deb"])
def test_a_state_that_they_do_not_know_is_passed_over_in_silence(store: Store, kind: str) -> None:
    store(kind, {"file": b""})

    said = run((SHIPPED / kind, "ArtifactOfTomorrow", "/tmp"), timeout=5)  # noqa: S108

    assert said == b""


# Scripts.


def test_scripts_run_in_order(store: Store, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    scripts = {f"{n}.sh": f"#!/bin/sh\necho {n} >> {diary}\n".encode() for n in (2, 1)}

    store("script", scripts).call("ArtifactInstall")

    assert diary.read_text() == "1\n2\n"


def test_the_first_script_that_fails_is_the_last(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    diary = tmp_path / "diary"
    scripts = {"1": b"#!/bin/sh\nexit 7\n", "2": f"#!/bin/sh\ntouch {diary}\n".encode()}

    with pytest.raises(AgentError, match="script: ArtifactInstall: exit code 7"):
        store("script", scripts).call("ArtifactInstall")

    assert "script: 1 ended with exit code 7" in caplog.text
    assert not diary.exists()


def test_a_payload_without_scripts_is_refused(store: Store) -> None:
    with pytest.raises(AgentError, match="exit code 1"):
        store("script", {}).call("ArtifactInstall")


# Debian packages: dpkg itself, with a root of its own.


@pytest.fixture
def dpkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root that ``dpkg`` works on: a program of that name before the real one says so to it."""
    root = tmp_path / "root"
    (root / "var" / "lib" / "dpkg" / "updates").mkdir(parents=True)
    (root / "var" / "lib" / "dpkg" / "status").touch()
    real = shutil.which("dpkg")
    folder = tmp_path / "wrapped"
    folder.mkdir()
    words = f"--root={root} --force-not-root --force-script-chrootless --log=/dev/null"
    (folder / "dpkg").write_text(f'#!/bin/sh\nexec {real} {words} "$@"\n')
    (folder / "dpkg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}:/usr/sbin:/sbin")
    return root


def package(folder: Path, name: str, version: str, *, fails: bool = False) -> bytes:
    """A Debian package of one file."""
    tree = folder / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: me <me@localhost>\n"
        "Description: nothing\n"
    )
    if fails:
        (tree / "DEBIAN" / "preinst").write_text("#!/bin/sh\nexit 1\n")
        (tree / "DEBIAN" / "preinst").chmod(0o755)
    (tree / "usr").mkdir()
    (tree / "usr" / name).write_text(version)
    run(("dpkg-deb", "-Zgzip", "-b", tree, folder / "made.deb"), timeout=10)
    return (folder / "made.deb").read_bytes()


needs_dpkg = requires_program("dpkg-deb", package="dpkg")


@needs_dpkg
@pytest.mark.parametrize("options", ["sh"], indirect=True)
def test_packages_are_installed_and_may_be_installed_again(
    options: ModuleOptions, dpkg: Path, tmp_path: Path
) -> None:
    files = {"a.deb": package(tmp_path, "a", "1"), "b.deb": package(tmp_path, "b", "2")}
    (module,) = stored(artifact(tmp_path, ("deb", files)), options)

    module.call("ArtifactInstall")
    module.call("ArtifactInstall")

    assert (dpkg / "usr" / "a").read_text() == "1"
    assert "Package: b\nStatus: install ok" in (dpkg / "var/lib/dpkg/status").read_text()


@needs_dpkg
@pytest.mark.parametrize("options", ["sh"], indirect=True)
def test_a_file_that_is_not_a_package_keeps_all_from_being_installed(
    options: ModuleOptions, dpkg: Path, tmp_path: Path
) -> None:
    files = {"a.deb": package(tmp_path, "a", "1"), "b.deb": b"none"}
    (module,) = stored(artifact(tmp_path, ("deb", files)), options)

    with pytest.raises(AgentError, match="deb: ArtifactInstall: exit code 1"):
        module.call("ArtifactInstall")
    module.call("ArtifactRollback")

    assert not (dpkg / "usr").exists()


@needs_dpkg
@pytest.mark.parametrize("options", ["sh"], indirect=True)
def test_a_package_whose_own_script_fails_has_failed(
    options: ModuleOptions, dpkg: Path, tmp_path: Path
) -> None:
    files = {"a.deb": package(tmp_path, "a", "1", fails=True)}
    (module,) = stored(artifact(tmp_path, ("deb", files)), options)

    with pytest.raises(AgentError, match="deb: ArtifactInstall: exit code 1"):
        module.call("ArtifactInstall")

    assert not (dpkg / "usr" / "a").exists()


@pytest.mark.parametrize("options", ["sh"], indirect=True)  # busybox's shell has one of its own
def test_a_device_without_dpkg_says_so(
    options: ModuleOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    (module,) = stored(artifact(tmp_path, ("deb", {"a.deb": b""})), options)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(AgentError, match="deb: ArtifactInstall: exit code 1"):
        module.call("ArtifactInstall")

    assert "this device has no dpkg" in caplog.text
