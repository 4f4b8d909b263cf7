# SPDX-License-Identifier: Apache-2.0
"""The commands as a user has them who installed wheels and has no clone."""

import sys
import sysconfig
from pathlib import Path

from ota_artifact.run import run
from tests.house.tree import ROOT, tools

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
_ALONE = ("--quiet", "--no-index", "--no-deps")


def install(folder: Path) -> Path:
    """Make the wheels of all tools, and install them into an environment; gives its commands.

    What they depend on is that of our own environment, but for the tools themselves: those are
    there by way of .pth files, which Python does not follow from another .pth file.
    """
    wheels, environment = folder / "wheels", folder / "environment"
    trees = [str(tool.path.parent) for tool in tools()]
    build = (*_PIP, "wheel", *_ALONE, "--no-build-isolation", "--wheel-dir", str(wheels))
    run((*build, *trees), timeout=300)
    run((sys.executable, "-m", "venv", "--without-pip", environment), timeout=60)
    pip = (*_PIP, "--python", str(environment / "bin" / "python"))
    run((*pip, "install", *_ALONE, *wheels.glob("*.whl")), timeout=300)
    places = sysconfig.get_path("purelib"), sysconfig.get_path("platlib")
    modules = next(environment.glob("lib/python*/site-packages"))
    (modules / "dependencies.pth").write_text("".join(f"{each}\n" for each in {*places}))
    run((*pip, "check"), timeout=60)
    assert str(ROOT) not in run((environment / "bin" / "python", "-c", _WHERE), timeout=60).decode()
    return environment / "bin"


_WHERE = "import ota_agent, ota_artifact, ota_board, ota_hil, ota_image, sys; print(sys.modules)"
