# SPDX-License-Identifier: Apache-2.0
"""A test's update modules; the shipped ones, with usual programs, and with busybox alone."""

import shutil
from pathlib import Path

import pytest

from ota_agent.payloads import ModuleOptions
from ota_artifact.run import run
from tests.conftest import requires_program
from tests.unit.agent.payloads.artifacts import artifact, stored
from tests.unit.agent.payloads.modules import Modules
from tests.unit.agent.payloads.shipped import SHIPPED, Store


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    return Modules(tmp_path)


@pytest.fixture(
    params=["sh", pytest.param("busybox", marks=requires_program("busybox", package="busybox"))]
)
def options(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleOptions:
    """The shipped modules as they are; and in busybox's shell, with nothing but its programs."""
    folder = SHIPPED
    if request.param == "busybox":
        busybox = shutil.which("busybox")
        programs, folder = tmp_path / "programs", tmp_path / "modules"
        programs.mkdir()
        run(("busybox", "--install", "-s", programs), timeout=10)
        shutil.copytree(SHIPPED, folder)
        for module in folder.iterdir():
            _, _, rest = module.read_text().partition("\n")
            module.write_text(f"#!{busybox} sh\n{rest}")
        monkeypatch.setenv("PATH", str(programs))
    return ModuleOptions(folders=(folder,), payloads=tmp_path / "payloads")


@pytest.fixture
def store(options: ModuleOptions, tmp_path: Path) -> Store:
    """Stores a payload as the agent does, and gives what installs it."""
    return lambda kind, files: stored(artifact(tmp_path, (kind, files)), options)[0]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder that is updated."""
    return tmp_path / "root" / "opt"
