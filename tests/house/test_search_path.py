# SPDX-License-Identifier: Apache-2.0
"""The tests run for ordinary users, whose $PATH leaves out on Debian what administrators use."""

import os
import sys

from ota_artifact.run import run
from tests.house.tree import ROOT

PROGRAM = 'import os, tests.conftest; print(os.environ["PATH"])'


def test_tests_find_the_programs_of_administrators() -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}

    said = run((sys.executable, "-c", PROGRAM), timeout=60, environment=environment)

    assert said.decode().strip().split(os.pathsep) == ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
